"""Records of a file in blocks: the next block is read in a thread while the database takes this one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from services.billing.rules.bank import PaymentRow
from services.billing.rules.book import CustomerRow
from services.billing.rules.cells import Fault
from services.billing.rules.csv_text import Record
from services.billing.rules.states import Severity

READ_ROWS = 2_000
Good = TypeVar("Good", CustomerRow, PaymentRow)
Reader = Callable[[Record], tuple[Good | None, list[Fault]]]


@dataclass
class Rows(Generic[Good]):
    """A block of records, read."""

    read: int
    good: list[Good]
    faults: list[Fault]
    broken: list[Record]
    last_line: int = 0

    def counts(self) -> dict[str, int]:
        """What it adds to the counters of its import."""
        notices = sum(each.severity is Severity.NOTICE for each in self.faults)
        return {"rows_read": self.read, "rows_bad": len(self.broken), "notices": notices}


@asynccontextmanager
async def blocks(read: Reader[Good], found: Iterator[Record]) -> AsyncIterator[AsyncIterator[Rows[Good]]]:
    """All the blocks of a file, one read ahead. When this ends nobody reads the file any more."""
    ahead = asyncio.create_task(asyncio.to_thread(_read, read, found))

    async def each() -> AsyncIterator[Rows[Good]]:
        nonlocal ahead
        while block := await ahead:
            ahead = asyncio.create_task(asyncio.to_thread(_read, read, found))
            yield block

    try:
        yield each()
    finally:
        await asyncio.gather(ahead, return_exceptions=True)


def _read(read: Reader[Good], found: Iterator[Record]) -> Rows[Good] | None:
    """Read the next records; None at the end of the file."""
    block = Rows[Good](0, [], [], [])
    for record in islice(found, READ_ROWS):
        row, faults = read(record)
        block.read += 1
        block.last_line = record.line
        block.faults += faults
        if row is None:
            block.broken.append(record)
        else:
            block.good.append(row)
    return block if block.read else None
