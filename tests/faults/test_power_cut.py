"""PostgreSQL's server dies with all that it has not written yet, where commits between services do not wait for its disk (docs/adr/0021):
what somebody was answered, and what the network was told to do, is remembered; all else happens again, once.

The server writes by itself only every ten seconds here: whatever does not wait for it is lost, and all that only seems to.
"""

import asyncio
import os
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest

from services.postgres import EmbeddedPostgres, remove
from services.postgres import server as postgres
from services.postgres.launch import SUPERUSER
from services.ticketing.adapters import network
from services.ticketing.adapters.network import SimulatedNetwork
from services.ticketing.operations.claiming import Claim
from services.ticketing.operations.switches import Answer
from shared.courier import Courier
from shared.events import Envelope
from shared.inbox import Arrival, Inbox, Settle
from shared.settings import SERVICES
from tests.flows.books import residential
from tests.flows.stories import customers_of
from tests.support.database import build_schema
from tests.support.house import TestHouse, open_test_house

SECONDS = 60.0
HOPS = 4  # after so many of each kind the server stays


class Mains:
    """What the server hangs on."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server, self._one = server, asyncio.Lock()
        self.pulled: Counter[str] = Counter()

    async def pull(self, when: str) -> None:
        """The processes of the server are gone at once, with all that they had in memory; back when it answers again."""
        self.pulled[when] += 1
        async with self._one:
            keeper = int((self._server.home.data / "postmaster.pid").read_text().split("\n", 1)[0])
            others = [int(each) for each in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()]
            for each in others:
                with suppress(ProcessLookupError):  # it had ended by itself
                    os.kill(each, signal.SIGKILL)
            async with asyncio.timeout(SECONDS):
                while any(Path(f"/proc/{each}").exists() for each in others) or not await self._server.answers():
                    await asyncio.sleep(0.01)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmbeddedPostgres]:
    monkeypatch.setitem(postgres.SETTINGS, "wal_writer_delay", "10s")
    with tempfile.TemporaryDirectory(prefix="reconecta-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # the server's account is another one
        async with EmbeddedPostgres(folder / "data", durable=False) as running:  # a file outlives processes without fsync, too
            await running.create_databases(SERVICES)
            yield running
        remove(folder / "data")


@pytest.fixture
async def house(server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[TestHouse]:
    addresses = {name: server.url(name, SUPERUSER) for name in SERVICES}
    for name, url in addresses.items():
        await build_schema(name, url)
    async with open_test_house(addresses, tmp_path) as opened:
        yield opened


class Outside:
    """A network that has heard, and PostgreSQL is gone before it has answered."""

    def __init__(self, mains: Mains) -> None:
        self.told: Counter[UUID] = Counter()  # how often to do a switch
        outside = self

        class Adapter(SimulatedNetwork):
            async def switch(self, claim: Claim) -> Answer:
                outside.told[claim.id] += 1
                if outside.told.total() == 1:
                    await mains.pull("called")
                return await super().switch(claim)

            async def asked(self, claim: Claim) -> Answer | None:
                return await super().switch(claim) if outside.told[claim.id] else None

        self.adapter = Adapter


def dies_between_services(mains: Mains, patch: pytest.MonkeyPatch) -> None:
    """The server dies before or after something is brought to a service, or after it was handled there; nobody waited for the disk."""
    send_to, handle = Courier.send_to, Inbox.handle

    async def brought(self: Courier, receiver: str, batch: Sequence[Envelope], known: int) -> None:
        if mains.pulled["read"] < HOPS:
            await mains.pull("read")
        await send_to(self, receiver, batch, known)
        if mains.pulled["brought"] < HOPS:
            await mains.pull("brought")

    async def handled(self: Inbox, arrivals: Sequence[Arrival], settle: Settle) -> None:
        await handle(self, arrivals, settle)
        if mains.pulled["handled"] < HOPS:
            await mains.pull("handled")

    patch.setattr(Courier, "send_to", brought)
    patch.setattr(Inbox, "handle", handled)


async def quiet(house: TestHouse) -> None:
    """Wait until nothing is under way, though nobody can say so meanwhile."""
    async with asyncio.timeout(SECONDS):
        while (await house.as_("admin").get("/simulation/clock")).status_code != 200:
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_what_was_answered_or_called_outlives_the_server_and_all_else_happens_again_once(
    house: TestHouse, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = await customers_of(house, *(residential(f"R-{number}", f"Casa {number}") for number in range(3)))
    await house.until("2026-03-20T12:00")
    assert {await each.status() for each in homes} == {"SUSPENDIDO POR MORA"}
    mains = Mains(server)
    outside = Outside(mains)
    monkeypatch.setattr(network, "SimulatedNetwork", outside.adapter)
    house.hurried = True
    for number, each in enumerate(homes):
        if number == 1:
            dies_between_services(mains, monkeypatch)
        paid = await each.reports_payment()
        await mains.pull("answered")
        await quiet(house)
        assert (await house.get(f"/billing/payments/{paid['id']}"))["state"] == "REPORTED"
    assert {await each.status() for each in homes} == {"ACTIVO TEMPORAL PAGO"}
    assert set(outside.told.values()) == {1} and len(outside.told) == len(homes)
    assert mains.pulled == {"answered": 3, "called": 1, "read": HOPS, "brought": HOPS, "handled": HOPS}
