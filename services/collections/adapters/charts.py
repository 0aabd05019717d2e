"""The manager's figures as pictures. Drawing takes a moment of machine time, so it happens in a thread, outside any transaction."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from threading import Lock

LOOK = """---
config:
    themeVariables:
        xyChart:
            plotColorPalette: "{colours}"
---"""
COLOURS = ("#c9d6de", "#0b6e99")  # of what stands behind, and of what stands in front or alone
_drawing = Lock()


async def bars(title: str, names: Sequence[str], unit: str, *series: Sequence[Decimal | int]) -> str:
    """An SVG of bars, one for each name; of two series the second stands in front of the first."""
    return await asyncio.to_thread(_draw, _chart(title, names, unit, series))


def _chart(title: str, names: Sequence[str], unit: str, series: Sequence[Sequence[Decimal | int]]) -> str:
    axis = ", ".join(f'"{each}"' for each in names)
    drawn = [f"    bar [{', '.join(f'{value:.2f}' for value in each)}]" for each in series]
    return "\n".join(
        [
            LOOK.format(colours=", ".join(COLOURS[-len(series) :])),
            "xychart-beta",
            f'    title "{title}"',
            f"    x-axis [{axis}]",
            f'    y-axis "{unit}" 0 --> {_top(series)}',
            *drawn,
        ]
    )


def _top(series: Sequence[Sequence[Decimal | int]]) -> int:
    return max(1, *(int(value) + 1 for each in series for value in each))


def _draw(text: str) -> str:
    import mermaidx  # nobody else loads it: a process that has it takes longer to end (shared/loop.py)

    with _drawing:  # one at a time: a burst of requests must not take every core
        svg: str = mermaidx.render(text).svg()
    return svg


def summed(rows: Sequence[Mapping[str, str]], by: str, amount: str) -> dict[str, Decimal]:
    """The amounts of rows added up by one of their fields, in the order in which its values come."""
    found: dict[str, Decimal] = {}
    for row in rows:
        found[row[by]] = found.get(row[by], Decimal(0)) + Decimal(row[amount])
    return found
