"""Nothing waits for ever: every statement, and every call to what lies outside of our processes."""

import ast
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from shared.db import Database, rows
from tests.architecture.test_rooms import ROOT

# What calls out, and the argument that ends the waiting.
CALLS = {
    "asyncpg.connect": "timeout",
    "subprocess.run": "timeout",
    "httpx.AsyncClient": "timeout",
    "SMTP": "timeout",
    "create_async_engine": "connect_args",
    "urlopen": "timeout",
    "asyncio.open_connection": None,  # has none of its own: not to be used bare
    "requests.get": None,
    "httpx.get": None,
    "smtplib.SMTP": None,
}
KAFKA = {"AIOKafkaProducer", "AIOKafkaConsumer", "AIOKafkaAdminClient"}
AT_KAFKA = {
    "start", "stop", "send_and_wait", "flush", "getmany", "getone", "commit", "committed", "beginning_offsets", "end_offsets",
    "create_topics", "describe_topics", "list_topics", "partitions_for",
}  # fmt: skip
SOURCES = [path for room in ("services", "shared") for path in sorted((ROOT / room).rglob("*.py")) if "migrations/0" not in str(path)]


def name_of(node: ast.expr) -> str:
    return ast.unparse(node)


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def test_every_call_to_the_outside_ends() -> None:
    found, endless = set(), []
    for path in SOURCES:
        for call in calls(path):
            name = name_of(call.func)
            if name in CALLS:
                found.add(name)
                if CALLS[name] not in {keyword.arg for keyword in call.keywords}:
                    endless.append(f"{path.relative_to(ROOT)}:{call.lineno} {name}")
    assert endless == []
    assert found >= {"asyncpg.connect", "subprocess.run", "httpx.AsyncClient", "SMTP", "create_async_engine"}


def test_every_wait_for_kafka_ends() -> None:
    """`within` ends even what ignores its cancellation."""
    bounded, endless = 0, []
    for path in [each for each in SOURCES if KAFKA & set(each.read_text().replace("(", " ").replace(",", " ").split())]:
        tree = ast.parse(path.read_text())
        inside = {
            (node.lineno, node.col_offset)
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and name_of(call.func) == "within"
            for node in ast.walk(call)
            if isinstance(node, ast.Call)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in AT_KAFKA:
                if (node.lineno, node.col_offset) in inside:
                    bounded += 1
                elif name_of(node.func.value) not in {"self._sink", "self"}:
                    endless.append(f"{path.relative_to(ROOT)}:{node.lineno} {name_of(node.func)}")
    assert endless == []
    assert bounded > 10


async def test_every_statement_ends(database: Callable[[str], Awaitable[Database]]) -> None:
    """By the server, and by the driver when the server is silent; a transaction that stands idle does not hold its locks."""
    opened = await database("billing")
    async with opened.transaction() as session:
        for name, most in (("statement_timeout", 60_000), ("idle_in_transaction_session_timeout", 60_000)):
            found = (await rows(session, "SELECT setting::int FROM pg_settings WHERE name = $1", name))[0][0]
            assert 0 < found <= most, name
        driver = (await (await session.connection()).get_raw_connection()).driver_connection
        assert driver is not None and 60 < driver._config.command_timeout <= 120
    assert 0 < opened.engine.pool._timeout <= 15  # type: ignore[attr-defined]
