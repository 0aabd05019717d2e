"""CSV as CRMs really export it: byte-order marks, any delimiter, Latin-1, title lines, stray quotes. Pure: the lines are handed in.

# Note [A quote that never closes]
One stray quote makes a CSV parser swallow the rows behind it. A record that took several lines and came out wrong is therefore reported
for its first line only, and reading starts again at its second. Records have bounds, so this stays linear.
"""

import codecs
import csv
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from shared.spelling import plain

DELIMITERS = (",", ";", "\t", "|")
TITLE_LINES = 20
RECORD_LINES = 100
RECORD_CHARACTERS = 100_000
REPLACED = "\ufffd"


class Unreadable(Exception):
    """The file as a whole cannot be read with this mapping; the text (Spanish) says what to change."""


@dataclass(frozen=True)
class Record:
    """One record of the file. `line` counts from 1 and is where it begins; `problem` (Spanish) is why its cells are not to be used."""

    line: int
    cells: list[str]
    problem: str | None = None


@dataclass(frozen=True)
class Sheet:
    """The file's shape: where its header stands and which column has which name (normalised)."""

    delimiter: str
    header: list[str]
    first_line: int

    @property
    def index(self) -> dict[str, int]:
        """Position by normalised name; a name that occurs again is found as `name#2`, `name#3` …"""
        found: dict[str, int] = {}
        for position, name in enumerate(self.header):
            key, count = normal(name), 1
            while (key if count == 1 else f"{key}#{count}") in found:
                count += 1
            found[key if count == 1 else f"{key}#{count}"] = position
        return found


@lru_cache(maxsize=5_000)  # headers, and the few words that `convert` knows
def normal(name: str) -> str:
    """A column's name without what exports add by accident: blanks, byte-order marks, case, accents."""
    return plain(name.replace("\ufeff", "").replace("\u200b", ""))


def sniff_encoding(blocks: Iterable[bytes]) -> str:
    """Tell the encoding from the whole file, block by block: UTF-16 by its mark, UTF-8 unless most of its special characters are broken
    in it, else Windows' Latin-1."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = broken = 0
    for number, block in enumerate(blocks):
        if number == 0 and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        text = decoder.decode(block)
        if not text.isascii():
            replaced = text.count(REPLACED)
            broken += replaced
            good += len(text) - len(text.encode("ascii", "ignore")) - replaced
    return "cp1252" if broken and broken >= good else "utf-8-sig"


def find_sheet(lines: list[str], wanted: Collection[str], delimiter: str | None = None) -> Sheet:
    """Find the header among the file's first lines: the line, and the delimiter, that show most of the wanted columns.

    Raises Unreadable when none of them is there.
    """
    names = {normal(each) for each in wanted}
    best, score = None, 0
    for number in range(min(len(lines), TITLE_LINES)):
        for candidate in [delimiter] if delimiter else DELIMITERS:
            try:
                reader = csv.reader(lines[number:], delimiter=candidate)
                sheet = Sheet(candidate, next(reader), number + 1 + reader.line_num)
            except (csv.Error, StopIteration):
                continue
            found = len(names & sheet.index.keys())
            if found > score:
                best, score = sheet, found
    if best is None:
        shown = lines[0].strip()[:200] if lines else ""
        raise Unreadable(f"El archivo no tiene ninguna de las columnas del mapeo. Su primera línea es: {shown!r}")
    return best


def sheet_without_header(lines: list[str], columns: list[str], delimiter: str | None = None) -> Sheet:
    """The sheet of a file that has no header: the mapping names its columns, the first line tells the delimiter. Raises Unreadable."""
    widths = []
    for candidate in [delimiter] if delimiter else DELIMITERS:
        try:
            cells = next(csv.reader(lines, delimiter=candidate), [])
        except csv.Error:
            continue
        if len(cells) == len(columns):
            return Sheet(candidate, columns, 1)
        widths.append(len(cells))
    found = max(widths, default=0)
    raise Unreadable(f"El mapeo nombra {len(columns)} columnas (`columns`) y la primera línea del archivo tiene {found}.")


class _Lines:
    """Lines that can be given back, counted from 1. Refuses to feed a record without end."""

    def __init__(self, lines: Iterator[str], start: int) -> None:
        self._lines, self._returned = lines, list[str]()
        self._taken: list[str] = []
        self._size = 0
        self.line = start

    @property
    def taken(self) -> int:
        return len(self._taken)

    def mark(self) -> None:
        """A record begins here."""
        self.line += len(self._taken)
        self._taken, self._size = [], 0

    def give_back(self) -> None:
        """Read again from the second line of the record."""
        self._returned += self._taken[:0:-1]
        self._taken = self._taken[:1]

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self._taken) >= RECORD_LINES or self._size > RECORD_CHARACTERS:
            raise csv.Error("record without end")
        line = self._returned.pop() if self._returned else next(self._lines)
        self._taken.append(line)
        self._size += len(line)
        return line


def records(lines: Iterator[str], sheet: Sheet) -> Iterator[Record]:
    """Read the records behind the header; blank lines are skipped, broken ones come with their problem ([A quote that never closes])."""
    source = _Lines(lines, sheet.first_line)
    reader = csv.reader(source, delimiter=sheet.delimiter, strict=True)
    width = len(sheet.header)
    while True:
        source.mark()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Record(source.line, [], "Las comillas de la fila no cierran, o hay texto después de cerrarlas.")
            source.give_back()
            reader = csv.reader(source, delimiter=sheet.delimiter, strict=True)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) == width:
            yield Record(source.line, cells)
            continue
        yield Record(source.line, cells, f"La fila tiene {len(cells)} celdas y el encabezado {width}.")
        if source.taken > 1:
            source.give_back()
            reader = csv.reader(source, delimiter=sheet.delimiter, strict=True)


def filled_down(found: Iterable[Record], sheet: Sheet, columns: Collection[str]) -> Iterator[Record]:
    """Where all of these columns are blank, the record goes on with those of the one above; behind a broken record nothing is guessed."""
    places = [sheet.index[normal(each)] for each in columns]
    above: list[str] | None = None
    for record in found:
        if record.problem is not None:
            above = None
        elif any(record.cells[place].strip() for place in places):
            above = record.cells
        elif above is not None:
            cells = list(record.cells)
            for place in places:
                cells[place] = above[place]
            record = Record(record.line, cells)
        yield record
