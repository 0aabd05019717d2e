"""A growth curve as a picture: sizes on a logarithmic axis, figures from zero on, one line for each series. SVG, without any library."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 92, 24, 56, 108
COLOURS = ("#0b6e99", "#d9730d", "#448361", "#9065b0", "#c14c8a", "#6b6b6b")
STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:13px;fill:#37352f}.title{font-size:16px;font-weight:600}"
    ".axis{fill:#6b6b6b}.grid{stroke:#e3e2e0}.line{fill:none;stroke-width:2.5;stroke-linejoin:round}"
)


def draw(title: str, growth: Mapping[str, Any]) -> str:
    """The picture of one measure's growth (`Growth.told`)."""
    sizes, series = growth["x"], growth["series"]
    top = _round_up(max(value for found in series.values() for value in found if value is not None))
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title>',
        f'<style>{STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text class="title" x="24" y="30">{escape(title)}</text>',
        *_grid(sizes, top, growth),
    ]
    for number, (name, found) in enumerate(series.items()):
        body += _line(number, name, sizes, found, top)
    return "\n".join([*body, "</svg>\n"])


def _grid(sizes: Sequence[int], top: float, growth: Mapping[str, Any]) -> Iterator[str]:
    """Both axes with their titles: five steps upwards, one upright for each size."""
    for step in range(6):
        value = top * step / 5
        y = _y(value, top)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="axis" x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{value:,.{0 if top >= 20 else 1}f}</text>'
    for size in sizes:
        x = _x(size, sizes)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        yield f'<text class="axis" x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size:,}</text>'
    across, middle = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    yield f'<text class="axis" x="{across}" y="{HEIGHT - BOTTOM + 44}" text-anchor="middle">{escape(growth["of"])}</text>'
    yield f'<text class="axis" transform="translate(22 {middle}) rotate(-90)" text-anchor="middle">{escape(growth["unit"])}</text>'


def _line(number: int, name: str, sizes: Sequence[int], found: Sequence[float | None], top: float) -> Iterator[str]:
    """One series: its line, its points with their figures as tooltips, its place in the legend."""
    colour = COLOURS[number % len(COLOURS)]
    points = [(_x(size, sizes), _y(value, top), value) for size, value in zip(sizes, found, strict=True) if value is not None]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    yield f'<polyline class="line" stroke="{colour}" points="{path}"/>'
    for x, y, value in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(name)}: {value:,.1f}</title></circle>'
    x, y = 24 + 232 * (number % 3), HEIGHT - 36 + 22 * (number // 3)
    yield f'<rect x="{x}" y="{y - 10}" width="18" height="4" rx="2" fill="{colour}"/><text x="{x + 26}" y="{y - 3}">{escape(name)}</text>'


def _x(size: int, sizes: Sequence[int]) -> float:
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])
    return LEFT + 20 + (WIDTH - RIGHT - LEFT - 40) * ((math.log10(size) - first) / (last - first) if last > first else 0.5)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top


def _round_up(value: float) -> float:
    """The next 1, 2, 2.5, 4 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(power * each for each in (1, 2, 2.5, 4, 5, 10) if power * each >= value)
