"""P5: one outbox into four durable inboxes; a rate counts the rows that arrive."""

from shared.courier import Courier, Receiver
from shared.db import execute
from shared.outbox import Relay
from tests.bench.data import COLUMNS, Measured, copy_rate, empty, envelopes, records
from tests.bench.runner import Bench, Goal, Measure, rate

HEARERS = ("collections", "ticketing", "noc", "notifier")
PENDING = [*COLUMNS[:1], "sender", *COLUMNS[1:]]


async def prepare(bench: Bench) -> Measure:
    sender = await bench.database("billing")
    receivers = {name: Receiver(await bench.database(name), frozenset({Measured.TYPE})) for name in HEARERS}
    count, few = bench.count(20_000), bench.count(600)
    rows = records(envelopes(count))
    pending = [(row[0], "billing", *row[1:]) for row in rows]

    async def fresh(number: int) -> None:
        await empty(sender, "outbox", "outbox_held")
        for receiver in receivers.values():
            await empty(receiver.database, "inbox_pending")
        await copy_rate(sender, "outbox", COLUMNS, rows[:number])

    async def relay(number: int, batch: int) -> float:
        await fresh(number)
        mover = Relay(sender, Courier(receivers), holder="bench", batch=batch)

        async def work() -> None:
            while await mover.step():
                pass

        found = await rate(number * len(HEARERS), work())
        await mover.lease.release()
        return found

    async def limit() -> float:
        await fresh(100)
        target = receivers["noc"].database
        async with target.transaction() as session:
            await execute(session, "DELETE FROM inbox_pending")
        return await copy_rate(target, "inbox_pending", PENDING, pending)

    return Measure(
        "P5",
        "Courier: outbox to four inboxes",
        "rows/s",
        {"relay 500": lambda: relay(count, 500), "copy": limit, "row by row": lambda: relay(few, 1)},
        [Goal("of \\copy", "relay 500", "copy", 0.40), Goal("times row by row", "relay 500", "row by row", 20)],
    )
