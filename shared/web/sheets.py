"""Tables as files for spreadsheets: CSV text line by line, XLSX through a temporary file."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

from xlsxwriter import Workbook

from shared.web.columns import Cell

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
DAY, INSTANT, AMOUNT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss", "#,##0.00##"
MOST_TEXT = 32_767  # characters of a cell
WIDTH = 18


def csv_lines(rows: Iterable[Sequence[Cell]]) -> str:
    """Rows as CSV. Text that a spreadsheet would take for a formula begins with an apostrophe, and so stays text; numbers are numbers."""
    text = io.StringIO()
    csv.writer(text).writerows([_plain(each) for each in row] for row in rows)
    return text.getvalue()


def _plain(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "sí" if value else "no"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "seconds")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return str(value)


class Sheet:
    """A spreadsheet that is written row by row; of the rows only the last is in memory."""

    def __init__(self, file: IO[bytes], headings: Sequence[str]) -> None:
        self._book = Workbook(file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
        self._formats = {name: self._book.add_format({"num_format": name}) for name in (DAY, INSTANT, AMOUNT)}
        self._sheet: Any = self._book.add_worksheet()
        self._sheet.set_column(0, len(headings) - 1, WIDTH)
        self._sheet.freeze_panes(1, 0)
        self._sheet.write_row(0, 0, headings, self._book.add_format({"bold": True, "text_wrap": True}))
        self.rows = 0

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        """More rows below those that there are."""
        for row in rows:
            self.rows += 1
            for column, value in enumerate(row):
                self._write(column, value)

    def _write(self, column: int, value: Cell) -> None:
        if isinstance(value, bool):
            self._sheet.write_string(self.rows, column, "sí" if value else "no")
        elif isinstance(value, datetime):
            self._sheet.write_datetime(self.rows, column, value.replace(tzinfo=None), self._formats[INSTANT])
        elif isinstance(value, date):
            self._sheet.write_datetime(self.rows, column, value, self._formats[DAY])
        elif isinstance(value, Decimal):
            self._sheet.write_number(self.rows, column, value, self._formats[AMOUNT])
        elif isinstance(value, int):
            self._sheet.write_number(self.rows, column, value)
        elif value:
            self._sheet.write_string(self.rows, column, value[:MOST_TEXT])

    def close(self) -> None:
        """Write the file's end."""
        self._book.close()
