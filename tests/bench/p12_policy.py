"""P12: the daily policy run: who is due a reminder, a notice, a cut, and why, over a whole book of accounts; alone in this process."""

import statistics
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID

from sqlmodel import col, select

from services.collections.jobs import review
from services.collections.models import Account, AccountReview, Invoice, Suspension
from shared.db import Database, new_id
from shared.events.collections import SuspensionRequested
from shared.jobs import JobContext
from shared.outbox import OutboxRow
from shared.settings import Settings
from tests.bench.accounts import MIDNIGHT, NOON, ORDINARY, fill
from tests.bench.data import copy_in, copy_out, do
from tests.bench.runner import Bench, Goal, Growth, Measure, Variant, rate
from tests.support.service import operator

CUT, STATUS, LOOKED = {"cut": 100}, {"plan": 100}, {"looked": 100}
ENOUGH = 100_000  # smaller books are run over so often that as many accounts are counted
WRITTEN = ("suspension", "outbox")
LAST = 1_000_000


async def prepare(bench: Bench) -> Measure:
    database, growth, folder = await bench.database("collections"), Growth("accounts", "accounts/s"), bench.folder()
    sizes, some, few = bench.sizes(LAST), bench.count(100_000), bench.count(500)

    async def day(series: str, kinds: Mapping[str, int], size: int, now: datetime = NOON) -> float:
        """The whole book per second: accounts that were reviewed, and those of which the run need not know."""
        found = []
        for _ in range(max(1, min(10, ENOUGH // size))):
            await fill(database, size, kinds)
            found.append(await rate(size, review.run(_context(database, now))))
        return growth.note(series, size, statistics.median(found))

    async def again() -> float:
        """The same book once more, an instant later: nothing is due."""
        return await rate(sizes[-1], review.run(_context(database, NOON)))

    async def limit() -> float:
        """The rows that such cuts write, by COPY, and the accounts' versions by one UPDATE; nobody has thought about anything."""
        await fill(database, some, CUT)
        await review.run(_context(database, NOON))
        await copy_out(database, folder, WRITTEN)
        await fill(database, some, CUT)
        return await rate(some, _rows(database, folder))

    async def orm() -> float:
        await fill(database, few, CUT)
        return await rate(few, _orm(database))

    def sized(series: str, kinds: Mapping[str, int]) -> dict[str, Variant]:
        """A day for each size; the largest book's has no figure in its name."""
        names = [f"{series}, {size:,}" for size in sizes[:-1]] + [series]
        return {name: partial(day, series, kinds, size) for name, size in zip(names, sizes, strict=True)}

    mixed, cuts = sized("mixed day", ORDINARY), sized("every account is cut", CUT)
    big, small = f"{sizes[-1]:,}", f"{sizes[0]:,}"
    (cut_small, *_), (mixed_small, *_), cut, ordinary, nothing = cuts, mixed, [*cuts][-1], [*mixed][-1], "nothing is due"
    status, looked = f"every status changes, {some:,}", f"all looked at in vain, {some:,}"
    return Measure(
        "P12",
        f"the daily policy run over {big} accounts",
        "accounts/s of the whole book",
        {
            **mixed, nothing: again, **cuts,
            status: partial(day, "every status changes", STATUS, some, MIDNIGHT),
            looked: partial(day, "all looked at in vain", LOOKED, some),
            f"rows of the cuts, {some:,}": limit, "ORM per account": orm,
        },
        [
            Goal("mixed day / 10,000 a second", ordinary, 10_000, 1, scaled=True),
            Goal("cuts / 5,000 a second", cut, 5_000, 1, scaled=True),
            Goal("changes of status / 5,000 a second", status, 5_000, 1, scaled=True),
            Goal(f"mixed day: cost at {big} / at {small}", mixed_small, ordinary, 1.2, at_most=True),
            Goal(f"cuts: cost at {big} / at {small}", cut_small, cut, 1.2, at_most=True),
            Goal("cost of a day without anything / of cuts", cut, nothing, 0.1, at_most=True),
            Goal("cuts / ORM per account", cut, "ORM per account", 20),
        ],
        rounds=1,
        growth=growth,
    )  # fmt: skip


def _context(database: Database, now: datetime) -> JobContext:
    return JobContext(database, now, operator(), Settings(service="collections", database_url=database.dsn), {})


async def _rows(database: Database, folder: Path) -> None:
    await copy_in(database, folder, WRITTEN)
    await do(database, "UPDATE account SET version = version + 1; DELETE FROM account_review")


async def _orm(database: Database) -> None:
    """The naive way: one account, one commit; what is owed is added up, and a sentence says why."""
    async with database.transaction() as session:
        ids = (await session.execute(select(AccountReview.account_id).where(col(AccountReview.due_at) <= NOON))).scalars().all()
    for each in ids:
        await _orm_cut(database, each)


async def _orm_cut(database: Database, account_id: UUID) -> None:
    async with database.transaction() as session:
        account = await session.get_one(Account, account_id, with_for_update=True)
        review = await session.get_one(AccountReview, account_id)
        invoices = (await session.execute(select(Invoice).where(Invoice.account_id == account_id))).scalars().all()
        debts = [each for each in invoices if each.paid_at is None and each.due_ends_at <= NOON]
        owed = sum((each.balance for each in debts), Decimal())
        cut = Suspension(
            id=new_id(), account_id=account_id, procedure="suspension_residencial", delivery="own", rule="RES-5",
            reason=f"Falta de pago: debe {owed}.", amount=owed, currency="USD", invoice_ids=[each.id for each in debts], agent="sistema",
            requested_at=NOON,
        )  # fmt: skip
        event = SuspensionRequested.model_validate(
            {**cut.model_dump(exclude={"id"}), "suspension_id": cut.id, "customer_id": account_id, "release_on": "full"}
        )
        account.version += 1
        told = OutboxRow(
            event_id=new_id(), type=event.TYPE, subject=f"account/{account_id}", sequence=account.version, key=event.key(),
            occurred_at=NOON, data=event.model_dump_json(),
        )  # fmt: skip
        session.add_all([cut, told])
        await session.delete(review)
