"""Several messages to one receiver as one mail. Templates mark what is their own: `<!-- card -->` … `<!-- /card -->` in the HTML, in the
text all that stands before the line `--`."""

import re
from collections.abc import Sequence

from services.notifier.rules.rendering import Rendered, one_line

CARD = re.compile(r"<!--\s*card\s*-->(.*)<!--\s*/card\s*-->", re.DOTALL)
BODY = re.compile(r"<body[^>]*>(.*)</body>", re.DOTALL)
FOOT = "\n--\n"
RULE = "\n\n" + "·" * 60 + "\n\n"


def merged(parts: Sequence[Rendered]) -> Rendered:
    """The messages in the order given, under one head and over one foot: those of the first."""
    first, more = parts[0], len(parts) - 1
    if not more:
        return first
    subject = one_line(f"{first.subject} (y {more} {'aviso' if more == 1 else 'avisos'} más)")
    _, _, foot = first.text.partition(FOOT)
    text = RULE.join(each.text.partition(FOOT)[0].strip() for each in parts)
    return Rendered(subject, f"{text}\n{FOOT}{foot}" if foot else f"{text}\n", _html(parts))


def _html(parts: Sequence[Rendered]) -> str:
    """Where a template has no marks, its whole body is taken behind the first one's."""
    first = parts[0].html
    cards = [_own(each.html) for each in parts]
    own = CARD.search(first) or BODY.search(first)
    return first[: own.start(1)] + "".join(cards) + first[own.end(1) :] if own else first


def _own(html: str) -> str:
    found = CARD.search(html) or BODY.search(html)
    return found.group(1) if found else html
