"""templates/*.j2: what the operator's mails say. Jinja2, in a sandbox, with the operator's own words for amounts and days.

A mail has three templates: `<code>.subject.txt.j2`, `<code>.txt.j2` and `<code>.mjml.j2`; in the last every value is escaped. All know
`event`, `customer`, `invoice`, `open_invoices`, `agent`, `policy`, `rules`, `notice`, `operator` and `now`, and the filters `money`, `day`,
`weekday`, `instant`, `hour`, `month`, `person`, `desk` and `plan`. A name that does not exist is an error, never an empty place.
"""

import re
from collections.abc import Iterator, Mapping
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
        if not path.is_file():
            continue
        try:
            found = _unknown_in(path.read_text(encoding="utf-8"), event)
        except (TemplateSyntaxError, UnicodeDecodeError):
            continue
        yield from ((path.name, line, text) for line, text in found)


@lru_cache(maxsize=1_000)
def syntax_error(text: str) -> tuple[str, int] | None:
    """Why a text is no template, and in which line. Whoever writes documents has them checked again and again: nearly all are as before."""
    try:
        Environment(autoescape=True).parse(text)
    except TemplateSyntaxError as error:
        return error.message or "", error.lineno
    return None


@lru_cache(maxsize=1_000)
def _unknown_in(text: str, event: type[Event]) -> tuple[tuple[int, str], ...]:
    environment = _environment(Path(), autoescape=False)
    environment.filters.update(dict.fromkeys(FILTERS, str))
    return tuple(_unknown(environment.parse(text), event, environment))


def _unknown(tree: nodes.Template, event: type[Event], environment: Environment) -> Iterator[tuple[int, str]]:
    """Filters and names that no template has, and fields that the event does not have."""
    filters = [each for each in tree.find_all(nodes.Filter) if each.name not in environment.filters]
    if filters:
        yield from ((each.lineno, f"no existe el filtro «{each.name}»{nearest(each.name, set(environment.filters))}") for each in filters)
        return
    lines = {node.name: node.lineno for node in tree.find_all(nodes.Name)}
    imported = {node.target for node in tree.find_all(nodes.Import)}
    for name in sorted(meta.find_undeclared_variables(tree) - NAMES - imported - {"range", "dict", "namespace"}):
        yield lines.get(name, 1), f"no existe «{name}»{nearest(name, NAMES)}"
    known = {**FIELDS, "event": ("el evento", frozenset(event.model_fields))}
    for node in tree.find_all(nodes.Getattr):
        whose, fields = known.get(node.node.name, ("", frozenset())) if isinstance(node.node, nodes.Name) else ("", frozenset())
        if whose and node.attr not in fields:
            yield node.lineno, f"{whose} no tiene «{node.attr}»{nearest(node.attr, fields)}"
