"""P3: what an Idempotency-Key costs: the same ordinary command by POST, with one, and by PUT, without."""

from tests.bench.http_requests import answered, note, sender, start
from tests.bench.runner import Bench, Goal, Measure

CONNECTIONS = 32


async def prepare(bench: Bench) -> Measure:
    ports, count = await start(bench), bench.count(3_000)

    async def rate(method: str) -> float:
        return (await answered(ports.service, CONNECTIONS, count, sender("/billing/things/{n}/notes", note, method=method))).rate

    return Measure(
        "P3",
        f"a command with and without Idempotency-Key, {CONNECTIONS} connections",
        "commands/s",
        {"with a key": lambda: rate("POST"), "without": lambda: rate("PUT")},
        [Goal("with / without", "with a key", "without", 0.7)],
    )
