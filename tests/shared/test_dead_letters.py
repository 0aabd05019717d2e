"""`/dead-letters`: people see what stands still and why, never the events' data; and put it back in line, or give it up."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import MetaData

from shared.db import Database
from shared.routing import EventRouter
from shared.service import Service
from tests.support.service import Served, serve
from tests.support.transport import Ears, Said, Told, clean, prepare

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.fixture
async def served(database: Callable[[str], Awaitable[Database]]) -> AsyncIterator[tuple[Served, Ears]]:
    """A service whose handler cannot bear p1's number 1 and lacks a fact for p2."""
    db = await database("noc")
    await prepare(db)
    ears = Ears()
    ears.misbehave = lambda sender, who, number: ValueError("el total no cuadra") if (who, number) == ("p1", 1) else None
    ears.needs = lambda sender, who, number: ("collections", 0) if (sender, who) == ("billing", "p2") else None
    router: EventRouter = ears.router()
    async with serve(Service("noc", "", router, MetaData()), db, NOW) as found:
        await found.deliver(*(Told(who=who, number=number) for number in range(3) for who in ("p0", "p1", "p2", "run/2026-03")))
        yield found, ears
    await clean(db)


async def test_what_stands_still_is_listed_without_its_data(served: tuple[Served, Ears]) -> None:
    admin = served[0].as_("admin")
    items = (await admin.get("/dead-letters")).raise_for_status().json()["items"]
    seen = sorted((each["reason"], each["key"], each["behind"]) for each in items)
    assert seen == [("dead", "p1", 1), ("waiting", "p2", 2)]
    dead = next(each for each in items if each["reason"] == "dead")
    assert dead["detail"].startswith("ValueError: el total no cuadra")
    assert "data" not in dead
    waiting = (await admin.get("/dead-letters", params={"reason": "waiting"})).json()["items"]
    assert [each["detail"] for each in waiting] == ["collections has not told 0 of p2"]


async def test_the_list_comes_in_pages(served: tuple[Served, Ears]) -> None:
    admin = served[0].as_("admin")
    first = (await admin.get("/dead-letters", params={"limit": 1})).json()
    second = (await admin.get("/dead-letters", params={"limit": 1, "cursor": first["next"]})).json()
    assert {first["items"][0]["key"], second["items"][0]["key"]} == {"p1", "p2"}
    assert second["next"] is None


async def test_a_replayed_key_goes_on_in_order(served: tuple[Served, Ears]) -> None:
    here, ears = served
    ears.misbehave = lambda sender, who, number: None
    bell = here.runtime.database.wakeup.bell("lookout")
    answer = await here.as_("admin").post("/dead-letters/p1/replay")
    assert answer.raise_for_status().json() == {"count": 1}
    assert bell.is_set(), "whoever puts it back in line wakes who goes on with it"
    await here.inbox.release()
    assert [row.number for row in await here.sql("SELECT number FROM heard WHERE who = 'p1' ORDER BY at")] == [0, 1, 2]


async def test_a_discarded_letter_is_gone_and_the_rest_goes_on(served: tuple[Served, Ears]) -> None:
    here, _ = served
    assert (await here.as_("admin").post("/dead-letters/p1/discard")).json() == {"count": 1}
    await here.inbox.release()
    assert [row.number for row in await here.sql("SELECT number FROM heard WHERE who = 'p1' ORDER BY at")] == [0, 2]
    assert await here.sql("SELECT 1 FROM parked_event WHERE key = 'p1'") == []


async def test_waiting_events_follow_their_fact(served: tuple[Served, Ears]) -> None:
    here, _ = served
    await here.deliver(Said(who="p2", number=0))
    assert [row.number for row in await here.sql("SELECT number FROM heard WHERE who = 'p2' AND sender = 'billing' ORDER BY at")] == [
        0,
        1,
        2,
    ]


async def test_a_key_with_a_slash_is_reached_and_one_without_letters_is_not_found(served: tuple[Served, Ears]) -> None:
    admin = served[0].as_("admin")
    answer = await admin.post("/dead-letters/run/2026-03/replay")
    assert answer.status_code == 404
    assert "run/2026-03" in answer.json()["detail"]


async def test_only_those_who_may_replay_see_or_touch_them(served: tuple[Served, Ears]) -> None:
    agent = served[0].as_("ana.martinez")
    assert (await agent.get("/dead-letters")).status_code == 403
    assert (await agent.post("/dead-letters/p1/discard")).status_code == 403
    assert len(await served[0].sql("SELECT 1 FROM parked_event WHERE reason = 'dead'")) == 1
