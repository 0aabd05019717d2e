"""What a printed dossier is made of: sections of headings, pairs, tables and paragraphs, all texts; the template only places them."""

from collections.abc import Iterable, Sequence
from typing import Any

Block = dict[str, Any]


def heading(text: str, *, marked: str = "") -> Block:
    """A heading inside a section; `marked` is a word beside it, such as «este caso»."""
    return {"kind": "heading", "text": text, "marked": marked}


def paragraph(text: str) -> Block:
    return {"kind": "paragraph", "text": text}


def pairs(items: Iterable[tuple[str, str]]) -> Block:
    """Labels with their values; what is not known is left out."""
    return {"kind": "pairs", "items": [[label, value] for label, value in items if value]}


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, none: str, figures: Sequence[int] = (), code: Sequence[int] = ()
) -> Block:
    """Rows under titles. A title that begins with `*` is a column that takes the room which is left. `figures` are columns of amounts,
    `code` columns of ids; `none` is what stands there when there are no rows."""
    return {
        "kind": "table",
        "columns": [each.lstrip("*") for each in columns],
        "wide": [number for number, each in enumerate(columns) if each.startswith("*")],
        "figures": list(figures),
        "code": list(code),
        "rows": [list(row) for row in rows],
        "none": none,
    }


def section(title: str, *blocks: Block) -> dict[str, Any]:
    """A numbered part of the dossier with its own entry in the table of contents."""
    return {"title": title, "blocks": list(blocks)}
