"""A CSV file on disk as records: opened with the encoding, header and delimiter that it turns out to have, in constant memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path

from services.billing.rules.cells import check_columns, columns_of
from services.billing.rules.csv_text import (
    TITLE_LINES,
    Record,
    Sheet,
    Unreadable,
    filled_down,
    find_sheet,
    records,
    sheet_without_header,
    sniff_encoding,
)
from services.billing.rules.mapping import CustomerMapping, Mapping

BLOCK = 1 << 20
LONGEST_LINE = 1 << 20
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how Excel's files begin


@contextmanager
def open_records(path: Path, mapping: Mapping) -> Iterator[tuple[Sheet, Iterator[Record]]]:
    """Open a file for reading with a mapping. Raises Unreadable when its columns are not those of the mapping."""
    with path.open("rb") as raw:
        if raw.read(4) in WORKBOOKS:
            raise Unreadable("Es un libro de Excel o un archivo comprimido. Guárdelo como CSV (UTF-8) y vuelva a importarlo.")
    encoding = mapping.encoding
    if encoding == "auto":
        with path.open("rb") as raw:
            encoding = sniff_encoding(iter(partial(raw.read, BLOCK), b""))
    if encoding == "utf-8":
        encoding = "utf-8-sig"
    repeated = mapping.fill_down if isinstance(mapping, CustomerMapping) else ()
    wanted = {*columns_of(mapping), *repeated}
    delimiter = {"auto": None, "tab": "\t"}.get(mapping.delimiter, mapping.delimiter)
    with path.open(encoding=encoding, errors="replace", newline="") as text:
        lines = iter(partial(text.readline, LONGEST_LINE), "")
        head = list(islice(lines, 2 * TITLE_LINES))
        if not head:
            raise Unreadable("El archivo está vacío.")
        sheet = sheet_without_header(head, list(mapping.columns), delimiter) if mapping.columns else find_sheet(head, wanted, delimiter)
        check_columns(sheet, wanted)
        found = records(chain(head[sheet.first_line - 1 :], lines), sheet)
        yield sheet, filled_down(found, sheet, repeated) if repeated else found
