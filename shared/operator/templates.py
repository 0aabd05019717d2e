"""templates/*.j2: what the operator's mails say. Jinja2, in a sandbox, with the operator's own words for amounts and days.

A mail has three templates: `<code>.subject.txt.j2`, `<code>.txt.j2` and `<code>.mjml.j2`; in the last every value is escaped. All know
`event`, `customer`, `invoice`, `open_invoices`, `agent`, `policy`, `rules`, `notice`, `operator` and `now`, and the filters `money`, `day`,
`weekday`, `instant`, `hour`, `month`, `person`, `desk` and `plan`. A name that does not exist is an error, never an empty place.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shared.errors import nearest
from shared.events import Event
from shared.events.billing import InvoiceIssued
from shared.operator import words
from shared.operator.company import Person
from shared.operator.operator import Operator

FOLDER = "templates"
ENDINGS = ("subject.txt.j2", "mjml.j2", "txt.j2")
NAMES = frozenset({"event", "customer", "invoice", "open_invoices", "agent", "policy", "rules", "notice", "operator", "now"})
CUSTOMER = frozenset({"id", "external_id", "name", "tax_id", "agent", "contacts"})  # what the notifier keeps of one
FIELDS: Mapping[str, tuple[str, frozenset[str]]] = {
    "customer": ("el cliente", CUSTOMER),
    "invoice": ("la factura", frozenset(InvoiceIssued.model_fields)),
    "agent": ("el gestor", frozenset(Person.model_fields)),
}
WORDS = ("money", "day", "weekday", "instant", "hour", "month")
FILTERS = (*WORDS, "person", "desk", "plan")
LOOKED_AT: tuple[type[nodes.Node], ...] = (nodes.Filter, nodes.Test, nodes.Name, nodes.NSRef, nodes.Import, nodes.Getattr)
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # Unicode's Cc, but for the ends of lines and tabs, and Cs


@dataclass(frozen=True)
class Templates:
    """The operator's templates, compiled once: `text` as it is, `markup` with every value escaped."""

    text: Environment
    markup: Environment


def templates_of(operator: Operator) -> Templates:
    """The templates of an operator's documents; the same documents (their fingerprint) share one set."""
    key = (operator.folder, operator.fingerprint)
    if key not in _compiled:
        _compiled[key] = Templates(*(_environment(operator.folder, autoescape) for autoescape in (False, True)))
        for environment in (_compiled[key].text, _compiled[key].markup):
            environment.filters.update(_filters(operator))
    return _compiled[key]


_compiled: dict[tuple[Path, str], Templates] = {}


def _environment(folder: Path, autoescape: bool) -> Environment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder / FOLDER),
        autoescape=autoescape,
        undefined=StrictUndefined,
        finalize=printable,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def printable(value: Any) -> Any:
    """A text without characters that no mail may hold: control characters other than line ends and tabs."""
    if not isinstance(value, str) or not UNPRINTABLE.search(value):
        return value
    return type(value)(UNPRINTABLE.sub("", value))


def _filters(operator: Operator) -> dict[str, Any]:
    def person(login: str) -> str:
        found = operator.person(login)
        return found.name if found else login

    def desk(code: str) -> str:
        return operator.desk(code).name

    def plan(code: str) -> str:
        return next((each.name for each in operator.plans if each.code == code), code)

    return {**{name: partial(getattr(words, name), operator) for name in WORDS}, "person": person, "desk": desk, "plan": plan}


def mistakes(folder: Path, code: str, event: type[Event]) -> Iterator[tuple[str, int, str]]:
    """What is wrong with the templates of a notice about an event: file, line, and what (Spanish). What cannot be parsed is skipped."""
    for ending in ENDINGS:
        path = folder / FOLDER / f"{code}.{ending}"
        with suppress(OSError, UnicodeDecodeError):
            if not isinstance(found := _read(path.read_text(encoding="utf-8")), Slip):
                yield from ((path.name, line, text) for line, text in found.unknown)
                yield from ((path.name, line, text) for line, text in _unknown_fields(found, event))


def syntax_error(text: str) -> tuple[str, int] | None:
    """Why a text is no template, and in which line."""
    found = _read(text)
    return (found.message, found.line) if isinstance(found, Slip) else None


@dataclass(frozen=True)
class Slip:
    """Why a text is no template."""

    message: str
    line: int


@dataclass(frozen=True)
class Said:
    """What of a template can be wrong: names that no template has (line and text), or, where there are none, which fields (name, field,
    line) it reads."""

    unknown: tuple[tuple[int, str], ...]
    fields: tuple[tuple[str, str, int], ...]


@lru_cache(maxsize=1_000)
def _read(text: str) -> Slip | Said:
    """Whoever writes documents has them checked again and again, and nearly all are as before; each process that starts reads them all."""
    environment = _environment(Path(), autoescape=False)
    environment.filters.update(dict.fromkeys(FILTERS, str))
    try:
        tree = environment.parse(text)
    except TemplateSyntaxError as error:
        return Slip(error.message or "", error.lineno)
    found: dict[type[nodes.Node], list[Any]] = {kind: [] for kind in LOOKED_AT}
    for node in tree.find_all(LOOKED_AT):
        found[type(node)].append(node)
    unknown = [*_not_in(environment.filters, found[nodes.Filter], "el filtro"), *_not_in(environment.tests, found[nodes.Test], "la prueba")]
    if unknown:
        return Said(tuple(unknown), ())
    fields = tuple((each.node.name, each.attr, each.lineno) for each in found[nodes.Getattr] if isinstance(each.node, nodes.Name))
    lines = {each.name: each.lineno for each in found[nodes.Name] + found[nodes.NSRef]}
    own = NAMES | {each.target for each in found[nodes.Import]} | {"range", "dict", "namespace"}
    if lines.keys() <= own:  # nothing that would have to be looked for: who gives a name its value is long to find out
        return Said((), fields)
    try:
        names = sorted(meta.find_undeclared_variables(tree) - own)
    except TemplateSyntaxError:
        return Said((), ())
    return Said(tuple((lines.get(name, 1), f"no existe «{name}»{nearest(name, NAMES)}") for name in names), fields)


def _not_in(known: Collection[str], used: Sequence[Any], what: str) -> Iterator[tuple[int, str]]:
    for each in used:
        if each.name not in known:
            yield each.lineno, f"no existe {what} «{each.name}»{nearest(each.name, set(known))}"


def _unknown_fields(said: Said, event: type[Event]) -> Iterator[tuple[int, str]]:
    """Fields that the event, or whom it is about, does not have."""
    known = {**FIELDS, "event": ("el evento", frozenset(event.model_fields))}
    for name, field, line in said.fields:
        whose, fields = known.get(name, ("", frozenset()))
        if whose and field not in fields:
            yield line, f"{whose} no tiene «{field}»{nearest(field, fields)}"
