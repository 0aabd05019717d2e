"""Mapping files on disk: read, checked against the operator's files, every mistake told with file, line and field."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.billing.rules.book import DELIVERIES
from services.billing.rules.csv_text import normal
from services.billing.rules.mapping import Cell, CustomerMapping, Mapping, PaymentMapping
from shared.errors import Mendable, nearest
from shared.operator import Operator
from shared.operator.files import Mistake, Place, Source, parse, read_source

SUFFIX = ".mapping.yaml"


class MappingError(Mendable):
    """The mapping cannot be used; `mistakes` lists what to mend, the text has one line for each."""

    def __init__(self, name: str, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join([f"{name}: {len(mistakes)} error(es) en el mapeo", *(f"  {each}" for each in mistakes)]))


def load_mapping(path: Path, operator: Operator | None = None) -> Mapping:
    """Read a mapping; with an operator, its words for plans, agents and deliveries are checked too. Raises MappingError."""
    mistakes: list[Mistake] = []
    source = read_source(path.parent, path.name, mistakes)
    if source is not None and not isinstance(source.value, dict):
        mistakes.append(source.mistake((), "no es un mapeo: se esperan campos como `source` y `customer` o `payment`"))
        source = None
    payments = source is not None and source.value.get("kind") == "payments"
    mapping = parse(PaymentMapping, source, mistakes) if payments else parse(CustomerMapping, source, mistakes)
    if mapping is not None and source is not None and operator is not None and isinstance(mapping, CustomerMapping):
        mistakes += _Words(source, mapping, operator).mistakes()
    if mapping is None or mistakes:
        raise MappingError(path.name, sorted(mistakes, key=lambda each: (each.line, each.field)))
    return mapping


def shipped_mapping(operator: Operator, name: str) -> Path | None:
    """The file of one of the operator's own mappings (`clientes` → books/clientes.mapping.yaml); None when there is none of that name."""
    found = operator.folder / "books" / f"{name}{SUFFIX}"
    return found if name.replace("_", "").replace("-", "").isalnum() and found.is_file() else None


@dataclass(frozen=True)
class _Words:
    """The words that a mapping itself writes: do the operator's files know them?"""

    source: Source
    mapping: CustomerMapping
    operator: Operator

    def mistakes(self) -> Iterator[Mistake]:
        plans, people = {each.code for each in self.operator.plans}, {each.person for each in self.operator.people}
        yield from self._unknown(("customer", "agent"), self.mapping.customer.agent, people, "gestor")
        for number, service in enumerate(self.mapping.services):
            yield from self._unknown(("services", number, "plan"), service.plan, plans, "plan")
            delivery = service.delivery
            yield from self._unknown(("services", number, "delivery"), delivery, set(DELIVERIES), "tipo de entrega", fold=True)

    def _unknown(self, place: Place, cell: Cell | None, known: set[str], kind: str, *, fold: bool = False) -> Iterator[Mistake]:
        for field, word in _own_words(cell) if cell is not None else ():
            if word and (normal(word) if fold else word) not in known:
                yield self.source.mistake((*place, *field), f"no existe {kind} «{word}»{nearest(word, known)}")


def _own_words(cell: Cell) -> Iterator[tuple[Place, str]]:
    for name in ("constant", "default", "otherwise"):
        word = getattr(cell, name)
        if word is not None and word != "keep":
            yield (name,), word
    for key, word in (cell.convert or {}).items():
        yield ("convert", key), word or ""
