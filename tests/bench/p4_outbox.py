"""P4: events into the outbox, in batches."""

from shared.outbox import BATCH, OutboxRow, publish_many
from tests.bench.data import COLUMNS, NOW, copy_rate, empty, envelopes, outgoing, records
from tests.bench.runner import Bench, Goal, Measure, rate


async def prepare(bench: Bench) -> Measure:
    database = await bench.database("billing")
    count, few = bench.count(30_000), bench.count(3_000)
    items, rows = outgoing(count), records(envelopes(count))

    async def ours() -> float:
        async def work() -> None:
            for at in range(0, count, BATCH):
                async with database.transaction() as session:
                    await publish_many(session, items[at : at + BATCH], now=NOW)

        await empty(database, "outbox")
        return await rate(count, work())

    async def limit() -> float:
        await empty(database, "outbox")
        return await copy_rate(database, "outbox", COLUMNS, rows)

    async def orm() -> float:
        async def work() -> None:
            for at in range(0, few, BATCH):
                async with database.transaction() as session:
                    session.add_all(
                        OutboxRow(
                            event_id=row[0], type=row[1], subject=row[2], sequence=row[3], key=row[4], occurred_at=row[5], data=row[7]
                        )
                        for row in rows[at : at + BATCH]
                    )

        await empty(database, "outbox")
        return await rate(few, work())

    return Measure(
        "P4",
        "outbox insert, batches of 500",
        "events/s",
        {"publish_many": ours, "copy": limit, "orm": orm},
        [Goal("of \\copy", "publish_many", "copy", 0.25), Goal("times add_all", "publish_many", "orm", 4)],
    )
