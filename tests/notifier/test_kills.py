"""Workers are killed while they send: no mail is lost, and a mail that goes out twice has the same Message-ID both times."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from services.notifier.app import SERVICE
from shared.db import Database
from shared.events.notifier import MessageAccepted
from tests.notifier.peers import Peer, mail_server
from tests.notifier.samples import background, golden
from tests.support.service import Served, serve

START = datetime(2026, 3, 28, 14, 0, tzinfo=UTC)
MAILS, KILLS = 40, 2
OpenDatabase = Callable[[str], Awaitable[Database]]


async def worker(served: Served, peer: Peer) -> asyncio.subprocess.Process:
    """A worker in a process of its own."""
    address = served.runtime.database.dsn
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.notifier.sender", address, peer.url.replace("0.7", "10"), START.isoformat()
    )


@pytest.mark.slow
async def test_killed_workers_lose_no_mail_and_repeat_at_most_the_one_under_way(database: OpenDatabase) -> None:
    async with mail_server() as peer, serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*background(), *(golden("billing.payment_confirmed.v1", reference=f"TRX-{n}") for n in range(MAILS)))
        for kill in range(1, KILLS + 1):
            process = await worker(served, peer)
            async with asyncio.timeout(60):
                while len(peer.taken) < kill * MAILS // (KILLS + 2):
                    await asyncio.sleep(0.001)
            process.kill()
            await process.wait()
            await served.sql("UPDATE delivery SET claimed_until = clock_timestamp() WHERE state = 'SENDING' RETURNING 1")
        assert await (await worker(served, peer)).wait() == 0
        known = {row.header_id: row.state for row in await served.sql("SELECT header_id, state FROM delivery")}
        accepted = [each.event.message_id for each in await served.published(MessageAccepted)]
    assert set(known.values()) == {"ACCEPTED"} and len(known) == MAILS
    assert set(peer.message_ids) == set(known)
    assert len(peer.taken) - MAILS <= KILLS
    assert len(accepted) == len(set(accepted)) == MAILS
