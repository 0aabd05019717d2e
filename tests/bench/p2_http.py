"""P2: a write over HTTP with token, idempotency and outbox, beside the same route without any database, and as it is written naively."""

from collections.abc import Awaitable, Callable

from tests.bench.http_requests import Maker, answered, customer, note, payment, sender, start
from tests.bench.runner import Bench, Goal, Measure

CONNECTIONS = 32


async def prepare(bench: Bench) -> Measure:
    ports = await start(bench)
    many, some, few = bench.count(8_000), bench.count(3_000), bench.count(600)

    def rate(port: int, count: int, request: Maker) -> Callable[[], Awaitable[float]]:
        async def sent() -> float:
            return (await answered(port, CONNECTIONS, count, request)).rate

        return sent

    return Measure(
        "P2",
        f"commands over HTTP, {CONNECTIONS} connections",
        "commands/s",
        {
            "ordinary": rate(ports.service, some, sender("/billing/things/{n}/notes", note)),
            "ordinary, no database": rate(ports.plain, many, sender("/things/{n}/notes", note, bare=True)),
            "POST /payments": rate(ports.service, some, sender("/billing/payments", payment)),
            "POST /payments, no database": rate(ports.plain, many, sender("/payments", payment, bare=True)),
            "POST /customers": rate(ports.service, some, sender("/billing/customers", customer)),
            "POST /customers, no database": rate(ports.plain, many, sender("/customers", customer, bare=True)),
            "POST /customers, SQLModel": rate(ports.plain, few, sender("/naive/customers", customer)),
        },
        [
            Goal("ordinary / no database", "ordinary", "ordinary, no database", 0.15),
            Goal("payments / no database", "POST /payments", "POST /payments, no database", 0.35),
            Goal("customers / no database", "POST /customers", "POST /customers, no database", 0.35),
            Goal("customers / SQLModel", "POST /customers", "POST /customers, SQLModel", 4),
        ],
    )
