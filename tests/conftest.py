"""What every test may ask for: real databases, a real Kafka, the whole house.

`database` opens one service's database, `databases` gives the addresses of all five, `kafka_bootstrap` a broker's address, `house` runs
all five services in this process, once on the Courier and once on Kafka (`courier_house`: on the Courier alone). PostgreSQL comes
from TEST_POSTGRES (a superuser's address), else from the embedded binaries; Kafka from KAFKA_BOOTSTRAP, else Docker, else Java. What cannot
be had is skipped aloud, and is an error with CI=true.
"""

import asyncio
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AsyncExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import settings
from sqlalchemy.engine import make_url

from services.migrate import SERVICES
from services.postgres import EmbeddedPostgres, remove
from services.postgres.launch import SUPERUSER
from shared.db import Database
from shared.log import configure
from shared.loop import loading
from tests.support.database import Stock
from tests.support.kafka import KafkaUnavailable, borrow_broker, stop_brokers

if TYPE_CHECKING:
    from tests.support.house import TestHouse

# The gate tries the same examples each time; new ones are tried on people's machines. A slow machine is no failure anywhere.
settings.register_profile("people", deadline=None)
settings.register_profile("gate", deadline=None, derandomize=True)
settings.load_profile("gate" if os.environ.get("CI") == "true" else "people")

POSTGRES, FOLDER, SERVER = "TEST_POSTGRES", "RECONECTA_TEST_FOLDER", "RECONECTA_TEST_SERVER"
MEMORY, ROOM = Path("/dev/shm"), 6_000_000_000
server: EmbeddedPostgres | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Logs are what a service writes: the library's own form draws every value of every frame, for seconds in which nobody is answered.
    Before xdist starts its workers: what they share is started by the process that outlives them."""
    configure()
    signal.signal(signal.SIGINT, interrupt)
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    folder = tempfile.mkdtemp(prefix="reconecta-tests-")
    Path(folder).chmod(0o755)
    os.environ[FOLDER] = folder
    if config.getoption("numprocesses", None) and POSTGRES not in os.environ:
        start_postgres()


def interrupt(*_: object) -> None:
    """Ctrl-C. Python's own handler gives way to one of asyncio's in each test and each fixture, and Python then writes down all that hangs
    on that, up to the last document of the operator, to find out that it is not the name of a signal's handler."""
    raise KeyboardInterrupt


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded stays: the garbage collector need not look at it a dozen times now, and never again afterwards."""
    with loading():
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each worker begins with its share of what takes long: at the end there are only short tests to share, and nobody is waited for.

    The first one begins with the longest, whose processes keep both cores busy for minutes; beside it the others do what needs a Kafka,
    for which they mostly wait."""
    workers, count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), len(items)
    groups: dict[int, list[pytest.Item]] = {turn: [] for turn in range(4)}
    for item in items:
        groups[_turn(item)].append(item)
    longest, waiting, slow, short = groups.values()
    rest = iter(short)
    items.clear()
    for worker in range(workers):
        items += longest if worker == 0 else []
        items += waiting[(worker - 1) % workers :: max(1, workers - 1)] if worker or workers == 1 else []
        items += slow[worker::workers]
        items += islice(rest, max(0, (worker + 1) * count // workers - len(items)))


def _turn(item: pytest.Item) -> int:
    mark = item.get_closest_marker("slow")
    if mark is not None and mark.kwargs.get("minutes"):
        return 0
    return 1 if item.get_closest_marker("kafka") else 2 if mark is not None else 3


def pytest_unconfigure(config: pytest.Config) -> None:
    gc.unfreeze()  # what extensions hold is put away at the end, as they expect
    if hasattr(config, "workerinput") or FOLDER not in os.environ:
        return
    folder = Path(os.environ.pop(FOLDER))
    stop_brokers(folder)
    if server is not None:
        asyncio.run(server.stop())
        remove(server.folder)
        shutil.rmtree(server.folder, ignore_errors=True)
        del os.environ[POSTGRES], os.environ[SERVER]
    shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the simulation has tried, where it ran."""
    from tests.simulation.report import summary  # the services are loaded only where it ran

    if FOLDER in os.environ and (lines := summary(Path(os.environ[FOLDER]))):
        terminalreporter.section("simulation")
        for line in lines:
            terminalreporter.write_line(line)


def place_for_postgres() -> Path:
    """In memory where there is plenty of it: a disk's file system takes a third of the server's time, for files that tests make and
    empty by the thousand. What a killed session left there is cleared away."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        return Path(os.environ[FOLDER]) / "postgres"
    for left in MEMORY.glob("reconecta-tests-*"):
        if not Path(f"/proc/{left.name.rpartition('-')[2]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = MEMORY / f"{Path(os.environ[FOLDER]).name}-{os.getpid()}"
    folder.mkdir(mode=0o755)
    return folder


def start_postgres() -> None:
    """The session's own server. It forgets everything at its end, so it need not survive a power cut."""
    global server
    server = EmbeddedPostgres(place_for_postgres(), durable=False)
    asyncio.run(server.start())
    os.environ[POSTGRES], os.environ[SERVER] = server.url("postgres", SUPERUSER), str(server.folder)
    asyncio.run(_easy_password(os.environ[POSTGRES]))


async def _easy_password(url: str) -> None:
    """The same password, proven by one round of hashing where a stranger's guesses are made to cost thousands: tests open connections by
    the ten thousand, and half of what that costs them is this."""
    connection = await asyncpg.connect(url)
    await connection.execute("SET scram_iterations = 1")
    await connection.execute(f"ALTER ROLE {SUPERUSER} PASSWORD '{make_url(url).password}'")
    await connection.close()


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A superuser's address of the session's PostgreSQL."""
    if POSTGRES not in os.environ:
        start_postgres()
    return os.environ[POSTGRES]


@pytest.fixture(scope="session")
def stock(postgres_url: str) -> Iterator[Stock]:
    """The clean databases of this test process."""
    made = Stock(postgres_url)
    yield made
    asyncio.run(made.close())


@pytest.fixture
async def database_url(stock: Stock) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """`await database_url("billing")`: the address of a clean database of that service, for this test alone."""
    taken: list[tuple[str, str]] = []

    async def take(service: str) -> str:
        name = await stock.take(service)
        taken.append((service, name))
        return stock.address(name)

    yield take
    for service, name in taken:
        await stock.give_back(service, name)


@pytest.fixture
async def databases(database_url: Callable[[str], Awaitable[str]]) -> dict[str, str]:
    """The addresses of five clean databases, by service."""
    return {service: await database_url(service) for service in SERVICES}


@pytest.fixture
async def database(database_url: Callable[[str], Awaitable[str]]) -> AsyncIterator[Callable[[str], Awaitable[Database]]]:
    """`await database("billing")`: a clean database of that service, open, for this test alone."""
    async with AsyncExitStack() as stack:

        async def open_one(service: str) -> Database:
            opened = Database(await database_url(service), service=service)
            stack.push_async_callback(opened.close)
            return opened

        yield open_one


@pytest.fixture(scope="session")
def kafka_bootstrap() -> str:
    """The address of a real Apache Kafka, shared by the whole session: use topic names of your own."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        return given
    try:
        return borrow_broker(Path(os.environ[FOLDER]))
    except KafkaUnavailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no Kafka, and CI=true: {missing}")
        print(f"\nSKIPPED, no Kafka: {missing}", file=sys.stderr)  # noqa: T201
        pytest.skip(f"no Kafka: {missing}")


@pytest.fixture
async def courier_house(databases: dict[str, str], tmp_path: Path) -> "AsyncIterator[TestHouse]":
    """Five services on the Courier, on a simulated clock that stands at the operator's 1st of March 2026."""
    from tests.support.house import open_test_house  # all five services: tests of one do not load the others

    async with open_test_house(databases, tmp_path) as opened:
        yield opened


@pytest.fixture(params=["courier", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.slow])])
async def house(request: pytest.FixtureRequest, databases: dict[str, str], tmp_path: Path) -> "AsyncIterator[TestHouse]":
    """The same on the Courier and on a real Kafka: a story that asks for it is told twice."""
    from tests.support.house import open_test_house

    bootstrap = request.getfixturevalue("kafka_bootstrap") if request.param == "kafka" else None
    async with open_test_house(databases, tmp_path, kafka_bootstrap=bootstrap) as opened:
        yield opened
