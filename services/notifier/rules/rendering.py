"""Templates and facts become a subject, a plain text and an HTML page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from jinja2 import TemplateError, UndefinedError
from mjml import mjml2html

from shared.errors import Mendable
from shared.operator.templates import Templates

LONGEST_SUBJECT = 200


@dataclass(frozen=True)
class Rendered:
    """A mail's words. The subject is one line."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class OpenInvoice:
    """An invoice of which something is neither paid nor reported as paid."""

    number: str
    period: str
    due_date: date
    amount: Decimal
    currency: str


class UnableToRender(Mendable):
    """A template and the facts do not fit; the text names the template, and the line where that is known."""


def render(templates: Templates, code: str, facts: Mapping[str, Any]) -> Rendered:
    """Render the three templates of a notice. Values are escaped before MJML reads them, so none can become markup.
    Raises UnableToRender."""
    subject = one_line(_fill(templates, f"{code}.subject.txt.j2", facts))
    text = _fill(templates, f"{code}.txt.j2", facts).strip() + "\n"
    name = f"{code}.mjml.j2"
    try:
        html = mjml2html(_fill(templates, name, facts), fonts={})
    except ValueError as error:
        raise UnableToRender(f"templates/{name} no es MJML válido: {error}") from error
    return Rendered(subject, text, html)


def one_line(text: str) -> str:
    """A header's value: whatever breaks lines becomes a space, so that a value cannot add a header."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1] + "…"


def _fill(templates: Templates, name: str, facts: Mapping[str, Any]) -> str:
    environment = templates.markup if name.endswith(".mjml.j2") else templates.text
    try:
        return environment.get_template(name).render(facts)
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise UnableToRender(f"templates/{name}{_line(error)}: {type(error).__name__}: {_names(error)}") from error


def _names(error: BaseException) -> str:
    """What the engine says. What a template asks for in vain is the template's own name, nobody's value, and may be read by everybody."""
    return re.sub(r"'([A-Za-z_][\w. ]*)'", r"«\1»", str(error)) if isinstance(error, UndefinedError) else str(error)


def _line(error: BaseException) -> str:
    """`:12` when the error rose in a template, which the engine shows as a frame of its own."""
    frame, line = error.__traceback__, None
    while frame is not None:
        if frame.tb_frame.f_code.co_filename.endswith(".j2"):
            line = frame.tb_lineno
        frame = frame.tb_next
    return f":{line}" if line else ""
