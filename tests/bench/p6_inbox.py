"""P6: events out of a durable inbox: dedupe, a balance and a ledger entry per event."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import BigInteger, Column, Identity
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from shared.clock import SystemClock
from shared.courier import CourierInbox
from shared.db import Database, driver, execute
from shared.events import Envelope
from shared.inbox import Inbox, InboxRow
from shared.lease import Lease
from shared.routing import Context, EventRouter
from tests.bench.data import NOW, Measured, MeasuredAlone, MeasuredMany, copy_rate, empty, envelopes, records
from tests.bench.p5_courier import PENDING
from tests.bench.runner import Bench, Goal, Measure, rate
from tests.support.service import operator

TABLES = """CREATE TABLE balance (who text PRIMARY KEY, amount bigint NOT NULL);
CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who text NOT NULL, amount bigint NOT NULL);
INSERT INTO balance SELECT 'k' || n, 0 FROM generate_series(0, 999) AS n"""
CLAIM = "INSERT INTO inbox (event_id, sender, claimed_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING"
CREDIT, ENTER = "UPDATE balance SET amount = amount + $2 WHERE who = $1", "INSERT INTO entry (who, amount) VALUES ($1, $2)"
SET = """WITH given AS (SELECT * FROM unnest($1::text[], $2::bigint[]) AS g(who, amount)),
entered AS (INSERT INTO entry (who, amount) SELECT who, amount FROM given)
UPDATE balance AS b SET amount = b.amount + s.amount FROM (SELECT who, sum(amount) AS amount FROM given GROUP BY who) AS s
WHERE b.who = s.who"""


class Table(SQLModel, registry=registry()):
    """The naive way's own models."""


class Balance(Table, table=True):
    """What somebody has."""

    __tablename__ = "balance"
    who: str = Field(primary_key=True)
    amount: int


class Entry(Table, table=True):
    """Why."""

    __tablename__ = "entry"
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    who: str
    amount: int


def router() -> EventRouter:
    """The same effect three times: statements per event, statements with many arguments, and set-based."""
    events = EventRouter()

    @events.on(MeasuredAlone)
    async def one(ctx: Context, event: MeasuredAlone) -> None:
        await execute(ctx.session, CREDIT, event.who, event.amount)
        await execute(ctx.session, ENTER, event.who, event.amount)

    @events.on_batch(MeasuredMany)
    async def many(ctx: Context, found: list[MeasuredMany]) -> None:
        connection, given = await driver(ctx.session), [(each.who, each.amount) for each in found]
        await connection.executemany(CREDIT, given)
        await connection.executemany(ENTER, given)

    @events.on_batch(Measured)
    async def together(ctx: Context, found: list[Measured]) -> None:
        await execute(ctx.session, SET, [each.who for each in found], [each.amount for each in found])

    return events


async def prepare(bench: Bench) -> Measure:
    database = await bench.database("ticketing")
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(TABLES)
    await connection.close()

    async def ours(kind: type[Measured], count: int) -> float:
        rows = [(row[0], "billing", *row[1:]) for row in records(envelopes(count, kind))]
        await empty(database, "inbox", "inbox_pending", "entry")
        await copy_rate(database, "inbox_pending", PENDING, rows)
        inbox = CourierInbox(Inbox(database, router(), operator(), SystemClock()), Lease(database, "inbox", "bench"))

        async def work() -> None:
            while await inbox.step():
                pass

        return await rate(count, work())

    async def bare(count: int) -> float:
        await empty(database, "inbox", "entry")
        return await rate(count, _bare(database, envelopes(count)))

    async def orm(count: int) -> float:
        await empty(database, "inbox", "entry")
        return await rate(count, _orm(database, envelopes(count)))

    variants: dict[str, Any] = {
        "set-based": lambda: ours(Measured, bench.count(20_000)),
        "executemany": lambda: ours(MeasuredMany, bench.count(10_000)),
        "statements per event": lambda: ours(MeasuredAlone, bench.count(4_000)),
        "asyncpg, tx per event": lambda: bare(bench.count(1_500)),
        "SQLModel, tx per event": lambda: orm(bench.count(300)),
    }
    goals = [
        Goal("executemany / tx per event", "executemany", "asyncpg, tx per event", 7),
        Goal("set-based / tx per event", "set-based", "asyncpg, tx per event", 10),
        Goal("set-based / ORM", "set-based", "SQLModel, tx per event", 50),
    ]
    return Measure("P6", "inbox: dedupe + balance + entry", "events/s", variants, goals)


async def _bare(database: Database, events: Sequence[Envelope]) -> None:
    connection = await asyncpg.connect(database.dsn)
    for each in events:
        event = Measured.model_validate_json(each.data)
        async with connection.transaction():
            await connection.execute(CLAIM, each.id, each.source)
            await connection.execute(CREDIT, event.who, event.amount)
            await connection.execute(ENTER, event.who, event.amount)
    await connection.close()


async def _orm(database: Database, events: Sequence[Envelope]) -> None:
    for each in events:
        event = Measured.model_validate_json(each.data)
        async with database.transaction() as session:
            seen: UUID = each.id
            if await session.get(InboxRow, seen) is None:
                session.add(InboxRow(event_id=seen, sender=each.source, claimed_at=NOW))
                balance = await session.get(Balance, event.who, with_for_update=True)
                assert balance is not None
                balance.amount += event.amount
                session.add_all([balance, Entry(who=event.who, amount=event.amount)])
