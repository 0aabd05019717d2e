"""Imports: files on disk become customers or payments, block by block. Run by the worker for the API, and by the command line directly."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import dropwhile
from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.adapters.csv_files import open_records
from services.billing.adapters.price_functions import price_functions
from services.billing.jobs.blocks import blocks
from services.billing.models import ImportBatch
from services.billing.operations import bank, imports, merging, staging
from services.billing.operations.terms import book_terms
from services.billing.queries.imports import get_import, imports_under_way
from services.billing.rules.bank import BankReader
from services.billing.rules.book import BookReader
from services.billing.rules.csv_text import Unreadable
from services.billing.rules.mapping import CustomerMapping, Mapping, PaymentMapping
from services.billing.rules.states import ImportState
from shared.background import in_the_background
from shared.calendar import BusinessCalendar
from shared.db import Database
from shared.jobs import Job, JobContext
from shared.lease import prolonged
from shared.log import get_logger
from shared.operator import Operator
from shared.transient import is_transient

log = get_logger("billing.imports")
GATHER_ROWS = 20_000
MERGE_ROWS = 2_000
REPRICED_ROWS = 200
Progress = Callable[[ImportBatch], None]


@dataclass
class Work:
    """An import under way in this process. `now` is business time for the whole of it."""

    database: Database
    operator: Operator
    calendar: BusinessCalendar
    batch: ImportBatch
    holder: str
    now: datetime
    progress: Progress | None = None
    began: float = field(default_factory=time.monotonic)

    async def count(self, session: AsyncSession, state: ImportState, merged_line: int = 0, **counts: int) -> None:
        """Prove the claim and keep the counters, in the session's transaction."""
        await imports.renew_claim(session, batch_id=self.batch.id, holder=self.holder, state=state, counts=counts, merged_line=merged_line)

    async def stay(self) -> None:
        """Keep the claim while a block takes its time."""
        async with self.database.transaction() as session:
            await imports.keep_claim(session, batch_id=self.batch.id, holder=self.holder)

    async def show(self) -> None:
        """Tell whoever watches how far it is."""
        if self.progress is not None:
            async with self.database.transaction() as session:
                batch = await get_import(session, self.batch.id)
            batch.rows_per_second = self.speed(batch.rows_read)
            self.progress(batch)

    def speed(self, count: int) -> int:
        return round(count / max(time.monotonic() - self.began, 0.001))


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """An import that waits or is under way is due now."""
    return context.now if await imports_under_way(session) else None


async def run(context: JobContext) -> int:
    """Import every file that waits and that nobody else works on. Answers how many it finished."""
    done = 0
    async with in_the_background(context.database) as quiet:
        while await _run_next(quiet, context.operator, context.now):
            done += 1
    return done


async def run_file(
    database: Database,
    path: Path,
    *,
    mapping: Mapping,
    operator: Operator,
    now: datetime,
    requested_by: str,
    progress: Progress | None = None,
) -> ImportBatch:
    """Import a file at once, in this process, and answer the finished batch: `state`, `failure` and the counters say what became of it."""
    async with database.transaction() as session:
        batch = await imports.queue_import(
            session,
            kind=mapping.kind,
            source=mapping.source,
            file_name=path.name,
            path=str(path.resolve()),
            mapping=mapping.model_dump(mode="json", by_alias=True),
            requested_by=requested_by,
            now=now,
        )
        holder = secrets.token_hex(8)
        claimed = await imports.claim_import(session, holder=holder, now=now, batch_id=batch.id)
    assert claimed is not None
    await _work(Work(database, operator, BusinessCalendar(operator), claimed, holder, now, progress))
    async with database.transaction() as session:
        return await get_import(session, batch.id)


async def _run_next(database: Database, operator: Operator, now: datetime) -> bool:
    holder = secrets.token_hex(8)
    async with database.transaction() as session:
        batch = await imports.claim_import(session, holder=holder, now=now)
    if batch is None:
        return False
    await _work(Work(database, operator, BusinessCalendar(operator), batch, holder, now))
    return True


async def _work(work: Work) -> None:
    """Read and merge, and say how it ended; a lost claim is left to its new owner."""
    try:
        failure = await _come_to_an_end(work)
        async with work.database.transaction() as session:
            speed = work.speed((await get_import(session, work.batch.id)).rows_read)
            await imports.finish_import(session, batch_id=work.batch.id, holder=work.holder, speed=speed, now=work.now, failure=failure)
        await work.show()
    except imports.LostClaim:
        log.warning("import taken over", batch=str(work.batch.id))


async def _come_to_an_end(work: Work) -> str | None:
    """Read and merge; why it could not be done (Spanish). Raises LostClaim, and what passes by itself: whoever claims it next goes on."""
    try:
        mapping: Mapping = TypeAdapter(Mapping).validate_python(work.batch.mapping)
        async with prolonged(work.stay):
            if isinstance(mapping, CustomerMapping):
                await _read_book(work, mapping)
                await _merge_book(work, mapping)
            else:
                await _read_bank(work, mapping)
    except Unreadable as error:
        return str(error)
    except FileNotFoundError:
        return "El archivo ya no está en el disco. Súbalo de nuevo."
    except Exception as error:
        if isinstance(error, imports.LostClaim) or is_transient(error):
            raise
        log.exception("import failed", batch=str(work.batch.id))
        return "Ocurrió algo inesperado; el registro dice más. Lo aplicado hasta ahí queda, y repetir la importación no lo duplica."
    return None


async def _read_book(work: Work, mapping: CustomerMapping) -> None:
    """Stage the good rows and note the bad ones, then judge the rows against each other."""
    with ExitStack() as stack:
        sheet, found = await asyncio.to_thread(stack.enter_context, open_records(Path(work.batch.path), mapping))
        reader = BookReader(mapping, sheet, book_terms(work.operator))
        async with blocks(reader.read, found) as each:
            async for block in each:
                broken = [(record.line, key) for record in block.broken if (key := reader.key(record))]
                async with work.database.transaction() as session:
                    await imports.keep_faults(session, batch_id=work.batch.id, faults=block.faults)
                    await staging.stage_customers(session, batch_id=work.batch.id, good=block.good, broken=broken)
                    await work.count(session, ImportState.READING, **block.counts())
                await work.show()
    await _judge_book(work, mapping)


async def _judge_book(work: Work, mapping: CustomerMapping) -> None:
    """Put rows of one customer together, or refuse the second one."""
    async with work.database.transaction() as session:
        await staging.analyze_staged(session)
    refuse = staging.refuse_repeated
    if mapping.one_row_per == "service":
        await _gather_services(work)
        refuse = staging.refuse_repeated_services
    async with work.database.transaction() as session:
        await work.count(session, ImportState.MERGING, rows_bad=await refuse(session, batch_id=work.batch.id))


async def _gather_services(work: Work) -> None:
    line = 0
    while True:
        async with work.database.transaction() as session:
            span = await merging.next_block(session, batch_id=work.batch.id, after=line, size=GATHER_ROWS)
            if span is None:
                return
            await staging.merge_service_rows(session, batch_id=work.batch.id, first_line=span[0], last_line=span[1])
            await work.count(session, ImportState.READING)
        line = span[1]


async def _merge_book(work: Work, mapping: CustomerMapping) -> None:
    """Apply the staged rows; then list who is missing, and say once how many came with another opening state than before."""
    batch = work.batch
    await _merge_blocks(work, _mapped(mapping))
    async with work.database.transaction() as session:
        missing = await merging.list_missing(session, batch_id=batch.id, source=batch.source)
        notices = await merging.notices_of(session, batch_id=batch.id, source=batch.source, operator=work.operator, now=work.now)
        await imports.keep_faults(session, batch_id=batch.id, faults=notices)
        await work.count(session, ImportState.MERGING, rows_missing=missing, notices=len(notices))


async def _merge_blocks(work: Work, mapped: list[str]) -> None:
    """Apply the staged rows block by block: one is written while the one before it ends, and they are committed in their order."""
    batch, line, today = work.batch, work.batch.merged_line, work.calendar.local(work.now).date()
    before: asyncio.Task[None] | None = None
    following: asyncio.Task[None] | None = None
    try:
        while True:
            async with work.database.transaction() as session:
                span = await _next_span(session, batch, line)
            if span is not None:
                block = merging.Block(batch.id, batch.source, *span, mapped, work.operator.currency, today)
                following, line = asyncio.create_task(_merge(work, block, before)), span[1]
            if before is not None:
                await before
                await work.show()
            if span is None:
                return
            before, following = following, None
    finally:
        running = [each for each in (before, following) if each is not None]
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _next_span(session: AsyncSession, batch: ImportBatch, after: int) -> tuple[int, int] | None:
    """The next lines to be applied together; few where many prices change, whose transaction holds the fiscal numbers for a while."""
    span = await merging.next_block(session, batch_id=batch.id, after=after, size=MERGE_ROWS)
    if span is not None and await merging.is_repriced(session, batch_id=batch.id, source=batch.source, span=span, many=REPRICED_ROWS):
        return await merging.next_block(session, batch_id=batch.id, after=after, size=REPRICED_ROWS)
    return span


async def _merge(work: Work, block: merging.Block, before: asyncio.Task[None] | None) -> None:
    """Apply one block, and commit when the one before it is committed: what `merged_line` passes is applied. Not before that are billed
    months put right, for the next fiscal number is one block's at a time."""
    by = f"importación {work.batch.id}"
    async with work.database.transaction() as session:
        merged = await merging.merge_block(session, block=block, calendar=work.calendar, by=by, now=work.now)
        if before is not None:
            await before
        settling = merging.Settling(f"import:{work.batch.id}", by, work.operator, price_functions(work.operator), work.now)
        unsettled = await merging.settle_block(session, merged=merged, settling=settling)
        await imports.keep_faults(session, batch_id=work.batch.id, faults=unsettled)
        counts = {"rows_new": merged.new, "rows_changed": merged.changed, "rows_unchanged": merged.unchanged}
        await work.count(session, ImportState.MERGING, block.last_line, notices=len(unsettled), **counts)


async def _read_bank(work: Work, mapping: PaymentMapping) -> None:
    """Apply a bank's file block by block; one that was interrupted goes on behind the last block."""
    with ExitStack() as stack:
        sheet, found = await asyncio.to_thread(stack.enter_context, open_records(Path(work.batch.path), mapping))
        found = dropwhile(lambda record: record.line <= work.batch.merged_line, found)
        reader = BankReader(mapping, sheet, work.operator.currency)
        today = work.calendar.local(work.now).date()
        operator, batch = work.operator, work.batch
        terms = (operator.currency, operator.money_digits, today, batch.requested_by, operator.payment_order)
        source = bank.Bank(batch.id, mapping.customer_source, *terms)
        async with blocks(reader.read, found) as each:
            async for block in each:
                async with work.database.transaction() as session:
                    applied = await bank.apply_bank_rows(session, bank=source, good=block.good, now=work.now)
                    await imports.keep_faults(session, batch_id=work.batch.id, faults=[*block.faults, *applied.faults])
                    counts = block.counts()
                    counts["rows_bad"] += len(applied.faults)
                    became = {"rows_new": applied.new, "rows_changed": applied.confirmed, "rows_unchanged": applied.unchanged}
                    await work.count(session, ImportState.MERGING, block.last_line, **counts, **became)
                await work.show()


def _mapped(mapping: CustomerMapping) -> list[str]:
    """Which lists and optional values the mapping has: only these may be emptied by a changed row."""
    contract = mapping.contract.end is not None or mapping.contract.term_months is not None
    present = {
        "contacts": bool(mapping.contacts),
        "services": bool(mapping.services),
        "tax_id": mapping.customer.tax_id is not None,
        "special_negotiation": mapping.customer.special_negotiation is not None,
        "contract_end": contract,
    }
    return [name for name, there in present.items() if there]


JOB = Job("imports", next_due, run)
