"""From a mapping's cells to functions on a record's cells, and a record that collects what is wrong with it."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache, partial
from typing import Any, TypeVar

from pydantic import BaseModel

from services.billing.rules import values
from services.billing.rules.csv_text import Record, Sheet, Unreadable, normal
from services.billing.rules.mapping import Cell, FileShape, When
from services.billing.rules.periods import Period
from services.billing.rules.states import Severity
from services.billing.rules.values import BadValue

T = TypeVar("T")
Block = dict[str, "Getter | None"]
_FIELD = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a row: where, what stands there, why it is wrong and what to do (Spanish). A NOTICE did not stop the row."""

    line: int
    column: str
    value: str
    reason: str
    remedy: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class Getter:
    """A compiled cell: how to read its text in a record (blank: ""; BadValue for an unknown word), and the columns to name in a fault."""

    label: str
    read: Callable[[list[str]], str]


def columns_of(part: Any) -> Iterator[str]:
    """Every column that a mapping (or a part of it) names."""
    if isinstance(part, Cell):
        yield from _sources(part)
    elif isinstance(part, When):
        yield part.column
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from columns_of(getattr(part, name))
    elif isinstance(part, list):
        for each in part:
            yield from columns_of(each)


def _sources(cell: Cell) -> list[str]:
    if cell.template is not None:
        return _FIELD.findall(cell.template)
    return [cell.column] if isinstance(cell.column, str) else list(cell.column or [])


def check_columns(sheet: Sheet, wanted: Collection[str]) -> None:
    """Raise Unreadable unless the file has every column that the mapping names."""
    missing = sorted({each for each in wanted if normal(each) not in sheet.index})
    if missing:
        raise Unreadable(
            f"Faltan columnas del mapeo: {', '.join(missing)}. El archivo tiene: {', '.join(name.strip() for name in sheet.header)}. "
            f"Lo que no es una columna sino un valor fijo se escribe {{constant: {missing[0]}}}."
        )


class Compiler:
    """Compiles the cells of one mapping against the header of one file."""

    def __init__(self, shape: FileShape, sheet: Sheet) -> None:
        self._index = sheet.index
        self._blanks = frozenset(shape.blanks)

    def cell(self, cell: Cell | None) -> Getter | None:
        """The function that reads this cell; None for a cell that the mapping does not have."""
        if cell is None:
            return None
        raw = self._raw(cell)
        if cell.convert is not None:
            raw = _converted(raw, {normal(key): word or "" for key, word in cell.convert.items()}, cell.otherwise)
        if cell.default is not None:
            raw = _defaulted(raw, cell.default)
        return Getter(", ".join(_sources(cell)) or "(constante)", raw)

    def block(self, part: BaseModel) -> Block:
        """Compile every cell of a part, by field name."""
        cells = {name: getattr(part, name) for name in type(part).model_fields}
        return {name: self.cell(value) for name, value in cells.items() if value is None or isinstance(value, Cell)}

    def condition(self, when: When | None) -> Callable[[list[str]], bool]:
        """Whether a record's cells meet it; None is met by all."""
        if when is None:
            return lambda cells: True
        position = self._index[normal(when.column)]
        words = {normal(each) for each in when.any_of or when.none_of}
        expected = bool(when.any_of)
        return lambda cells: (normal(cells[position]) in words) is expected

    def _text(self, column: str) -> Callable[[list[str]], str]:
        position, blanks = self._index[normal(column)], self._blanks

        def read(cells: list[str]) -> str:
            text = cells[position]
            if not text:
                return text
            text = values.clean_text(text)
            return "" if text in blanks else text

        return read

    def _raw(self, cell: Cell) -> Callable[[list[str]], str]:
        if cell.constant is not None:
            constant = cell.constant
            return lambda cells: constant
        readers = [self._text(each) for each in _sources(cell)]
        if cell.template is None:
            return readers[0] if len(readers) == 1 else lambda cells: next((text for read in readers if (text := read(cells))), "")
        pieces = _FIELD.split(cell.template)[::2]

        def fill(cells: list[str]) -> str:
            texts = [read(cells) for read in readers]
            if not any(texts):
                return ""
            return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True)).strip()

        return fill


def _converted(read: Callable[[list[str]], str], words: dict[str, str], otherwise: str | None) -> Callable[[list[str]], str]:
    def convert(cells: list[str]) -> str:
        text = read(cells)
        word = words.get(normal(text))
        if word is not None:
            return word
        if not text or otherwise == "keep":
            return text
        if otherwise is None:
            raise BadValue("El mapeo no dice qué significa este valor.", "Agréguelo a `convert` en el mapeo, o corrija el valor.", text)
        return otherwise

    return convert


def _defaulted(read: Callable[[list[str]], str], default: str) -> Callable[[list[str]], str]:
    return lambda cells: read(cells) or default


@dataclass
class Row:
    """A record being read: hands out values and collects faults."""

    record: Record
    faults: list[Fault] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Does a fault keep it from being imported?"""
        return any(each.severity is Severity.ERROR for each in self.faults)

    def fault(self, column: "str | Getter | None", value: object, reason: str, remedy: str, severity: Severity = Severity.ERROR) -> None:
        """Note what is wrong with a column: its name, or the getter that reads it."""
        name = column if isinstance(column, str) else column.label if column else "(sin columna)"
        self.faults.append(Fault(self.record.line, name, str(value)[:200], reason, remedy, severity))

    def unreadable(self) -> bool:
        """Note that the record as a whole cannot be used; False for one that can."""
        if self.record.problem is None:
            return False
        remedy = "Corrija la fila (comillas, separadores) y vuelva a importar el archivo."
        self.fault("(fila)", " | ".join(self.record.cells), self.record.problem, remedy)
        return True

    def take(self, getter: Getter | None, parse: Callable[[str], T], *, required: bool = False, soft: bool = False) -> T | None:
        """The cell's value; None for a blank one or a wrong one. A `soft` value that is wrong is left out, with a notice."""
        if getter is None:
            return None
        text = ""
        try:
            text = getter.read(self.record.cells)
            if text:
                return parse(text)
        except BadValue as bad:
            severity = Severity.NOTICE if soft else Severity.ERROR
            self.fault(getter, text or bad.value, bad.reason, bad.remedy, severity)
            return None
        if required:
            self.fault(getter, "", "El valor falta.", "Complete la celda y vuelva a importar: las filas ya aplicadas no cambian.")
        return None


class Formats:
    """How one file writes amounts (of the operator's currency), dates, months and yes or no: parsers for `Row.take`."""

    def __init__(self, shape: FileShape, currency: str) -> None:
        self.money: Callable[[str], Decimal] = partial(values.amount, decimal=shape.decimal, currency=currency)
        self.day: Callable[[str], date] = partial(values.day, formats=shape.dates)
        self.month: Callable[[str], Period] = partial(values.month, formats=shape.months, dates=shape.dates)
        self.flag: Callable[[str], bool] = partial(values.flag, yes=shape.yes, no=shape.no)

    def not_negative(self, text: str) -> Decimal:
        """An amount of zero or more."""
        value = self.money(text)
        if value < 0:
            raise BadValue("El importe es negativo.", "Escriba un importe de cero o más.")
        return value


@cache
def limited(length: int) -> Callable[[str], str]:
    """A parser for text of at most so many characters."""

    def parse(text: str) -> str:
        if len(text) > length:
            raise BadValue(f"El texto pasa de {length} caracteres.", "Acorte el texto en el archivo.")
        return text

    return parse
