"""Mermaid text as a picture. Drawing takes a second of machine time, so it happens in a thread, outside any transaction, and is kept.

Mermaid writes its labels as HTML inside the SVG, which only browsers show. They become plain SVG text here: then every viewer shows them.
"""

import asyncio
import html
import re
from collections import OrderedDict
from hashlib import sha256
from threading import Lock

KEPT = 256
LINE_HEIGHT = 24
LABEL = re.compile(
    r'<foreignObject width="(?P<width>[\d.]+)" height="(?P<height>[\d.]+)">\s*<div[^>]*>\s*<span(?P<span>[^>]*)>(?P<words>.*?)</span>'
    r"\s*</div>\s*</foreignObject>",
    re.DOTALL,
)
COLOUR = re.compile(r"color:\s*(#[0-9a-fA-F]{6})")
BREAK = re.compile(r"<br\s*/?>")
TAG = re.compile(r"<[^>]+>")
_kept: OrderedDict[str, str] = OrderedDict()
_drawing = Lock()


async def draw(mermaid: str) -> str:
    """The SVG of a Mermaid text."""
    key = sha256(mermaid.encode()).hexdigest()
    if key not in _kept:
        _kept[key] = await asyncio.to_thread(_draw, mermaid)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return _kept[key]


def _draw(mermaid: str) -> str:
    import mermaidx  # nobody else loads it: a process that has it takes longer to end (shared/loop.py)

    with _drawing:  # one at a time: a burst of requests must not take every core
        svg: str = mermaidx.render(mermaid).svg()
    return LABEL.sub(_plain, svg)


def _plain(label: re.Match[str]) -> str:
    """One HTML label as SVG text, line by line, centred in the place that it had."""
    width, height = float(label["width"]), float(label["height"])
    lines = [line for line in BREAK.split(label["words"]) if TAG.sub("", line).strip()]
    if not lines:
        return ""
    colour = COLOUR.search(label["span"])
    first = (height - LINE_HEIGHT * len(lines)) / 2 + LINE_HEIGHT * 0.7
    spans = "".join(_line(line, width / 2, first + LINE_HEIGHT * number) for number, line in enumerate(lines))
    back = f'<rect width="{width}" height="{height}" fill="#ffffff" fill-opacity="0.85"/>' if "edgeLabel" in label["span"] else ""
    # The box's own style reaches into its label: an outline would make the letters illegible.
    style = f"fill:{colour[1] if colour else '#1f2933'} !important;stroke:none !important"
    return f'{back}<text text-anchor="middle" style="{style}">{spans}</text>'


def _line(line: str, x: float, y: float) -> str:
    weight = ' font-weight="bold"' if "<b>" in line else ""
    slant = ' font-style="italic"' if "<i>" in line else ""
    words = html.escape(html.unescape(TAG.sub("", line)), quote=False)
    return f'<tspan x="{x:g}" y="{y:g}"{weight}{slant}>{words}</tspan>'
