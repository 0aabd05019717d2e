"""What may be said of an error, and of anything else that is written for people who run the house: where and why, never whose.

# Note [Whose message]
Libraries put values into their messages: PostgreSQL the row, the driver the argument, the validator the input. Of their errors the kind is
told, and what names columns, constraints and fields. What our own code says was written to be read; of it, and of every line of a log,
what looks like a mail address, a number of a person or a telephone, a token, or stands in quotes is left out.
"""

import re
import sysconfig
import traceback
from pathlib import Path

from pydantic import ValidationError

from shared.errors import causes_of

LONGEST = 500
LIBRARIES = tuple({str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
FACTS = ("sqlstate", "table_name", "column_name", "constraint_name")
# Ids and instants say nothing of anybody. What is left out: tokens, log-ins, addresses, numbers of people, telephones, what is quoted.
KEPT = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?"
HIDDEN = (
    r"eyJ[\w-]{8,}(?:\.[\w-]+)*|\w+://[^\s/]*:[^\s/]*@|[^\s<>\"'@]+@[^\s<>\"'@]+\.[^\s<>\"'@]+"
    r"|\+?\d(?:[ ()./-]{0,2}\d){6,}|'[^'\n]*'|\"[^\"\n]*\""
)
VALUE = re.compile(f"(?P<kept>{KEPT})|{HIDDEN}")
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}|\d{1,4}")


def masked(text: str) -> str:
    """A text without what could be somebody's."""
    return VALUE.sub(lambda found: found["kept"] or "…", text)


def told(error: BaseException) -> str:
    """An error in a line: its kind, and what may be said of it. See Note [Whose message]."""
    kind, cause = type(error).__name__, getattr(error, "orig", None) or error
    if by_server := [each for each in causes_of(error) if getattr(each, "sqlstate", None)]:
        kind, cause = type(by_server[-1]).__name__, by_server[-1]  # those that wrap it have names that say less
    if isinstance(cause, ValidationError):
        what = "; ".join(f"{_place(each['loc'])} {each['type']}" for each in cause.errors(include_input=False, include_url=False)[:5])
    elif by_server:
        what = " ".join(str(found) for name in FACTS if (found := getattr(cause, name, None)))
    elif isinstance(error, OSError) and error.strerror:
        what = error.strerror
    else:
        what = masked(str(error)[:LONGEST]) if _ours(error) else ""
    return f"{kind}: {what}" if what else kind


def told_with_place(error: BaseException) -> str:
    """What a person needs to mend the cause, in a line: the error, and where in our code it rose. Event data is not repeated here."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = " < ".join(f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{told(error)} [{where}]".replace("\x00", "\ufffd")


def told_with_lines(error: BaseException) -> str:
    """An error and what it came from, each with the lines of code that it passed."""
    parts, seen = [], set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append("".join(traceback.format_tb(current.__traceback__)) + told(current))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nbecause of:\n".join(parts)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) if FIELD.fullmatch(str(part)) else "…" for part in location) or "(all)"


def _ours(error: BaseException) -> bool:
    """Was it raised by a line of ours?"""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and not str(Path(frames[-1].filename)).startswith((*LIBRARIES, "<"))
