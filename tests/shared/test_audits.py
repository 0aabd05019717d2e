"""The audit of a service's own database: every night once, whoever dies or is late; kept, measured, and asked for."""

import asyncio
import io
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import MetaData

from shared import auditing, log
from shared.auditing import KEPT, audit_job
from shared.clock import SimulatedClock
from shared.db import Database, execute, rows
from shared.invariants import SHOWN, Sentences
from shared.lease import Fenced
from shared.routing import EventRouter
from shared.service import Service
from tests.support.service import Served, serve

NOON = datetime(2026, 3, 1, 18, tzinfo=UTC)
NIGHT = datetime(2026, 3, 2, 9, tzinfo=UTC)  # 03:00 in Tegucigalpa
DAY = timedelta(days=1)
NODES = "todo nodo se llama SPS"
CHECKS = {
    NODES: "SELECT code FROM access_node WHERE code NOT LIKE 'SPS%' ORDER BY code",
    "ningún nodo es de mañana": "SELECT code FROM access_node WHERE known_since > '2026-04-01'",
}
SLOW = Sentences({"esto tarda": "SELECT 1 WHERE pg_sleep(1)::text IS NULL"})
GATED = Sentences({"esto espera": "SELECT 1 WHERE pg_advisory_xact_lock_shared(7)::text IS NULL"})
OpenDatabase = Callable[[str], Awaitable[Database]]


@asynccontextmanager
async def audited(database: Database, sentences: Sentences = Sentences(CHECKS), **settings: Any) -> AsyncIterator[Served]:  # noqa: B008
    """A service with these sentences that is audited every night; it is noon of March 1, 2026."""
    service = Service("noc", "", EventRouter(), MetaData(), sentences=sentences)
    async with serve(service, database, NOON, **{"nightly_audit": True, **settings}) as served:
        yield served


@asynccontextmanager
async def under_way(served: Served) -> AsyncIterator[asyncio.Future[int]]:
    """An audit with GATED that cannot end before this block does."""
    async with served.runtime.database.transaction() as session:
        await execute(session, "SELECT pg_advisory_xact_lock(7)")
        audit = asyncio.ensure_future(audit_job(GATED).run(served.runtime.job_context(NOON)))
        while not await served.sql("SELECT 1 FROM audit_result"):
            await asyncio.sleep(0.02)
        yield audit


async def node(served: Served, *codes: str) -> None:
    async with served.runtime.database.transaction() as session:
        await execute(session, "INSERT INTO access_node (code, known_since) SELECT unnest($1::text[]), '2026-03-01'", list(codes))


async def audits(served: Served, **query: Any) -> list[dict[str, Any]]:
    answer = await served.as_("admin").get("/audits", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def measured(served: Served) -> dict[str, float]:
    """The audit's gauges, by what they are of."""
    lines = (await served.as_("admin").get("/metrics")).text.splitlines()
    told = [each.rpartition(" ") for each in lines if each.startswith("reconecta_audit_")]
    return {name.split("{")[1].split('"')[1] if "kind" in name else name.split("{")[0]: float(value) for name, _, value in told}


async def test_the_first_is_at_once_and_then_one_every_night_at_the_operators_hour(database: OpenDatabase) -> None:
    async with audited(await database("noc")) as served:
        assert math.isinf((await measured(served))["reconecta_audit_age_seconds"]), "there was never one"
        await served.work()
        [first] = await audits(served)
        assert (first["state"], first["asked_by"], first["audited_at"]) == ("SOUND", None, "2026-03-01T18:00:00Z")
        assert first["sentences"] == len(CHECKS) + 4, "and those about outbox and inbox"
        assert await served.next_due() == NIGHT
        await served.at(NIGHT + 3 * DAY)
        assert [each["audited_at"] for each in await audits(served)] == [
            "2026-03-05T09:00:00Z", "2026-03-04T09:00:00Z", "2026-03-03T09:00:00Z", "2026-03-02T09:00:00Z", "2026-03-01T18:00:00Z",
        ]  # fmt: skip


async def test_what_does_not_hold_is_told_with_its_ids_measured_and_logged(database: OpenDatabase) -> None:
    logged = io.StringIO()
    async with audited(await database("noc")) as served:
        await node(served, "SPS-1", *(f"TGU-{n:02}" for n in range(1, 31)))
        log.configure("INFO", logged)
        await served.work()
        log.configure()
        [found] = await audits(served, state="BROKEN")
        [wrong] = found["wrong"]
        assert (wrong["sentence"], wrong["count"], len(wrong["first"])) == (NODES, 30, SHOWN)
        assert wrong["first"][:2] == ["TGU-01", "TGU-02"]
        gauges = await measured(served)
        assert (gauges[NODES], gauges["ningún nodo es de mañana"], gauges["reconecta_audit_age_seconds"]) == (30, 0, 0)
        told = [json.loads(each) for each in logged.getvalue().splitlines()]
        assert [(each["level"], each["service"], each["sentence"], each["count"]) for each in told] == [("error", "noc", NODES, 30)]
        assert told[0]["first"].startswith("TGU-01, TGU-02, ")
        text = (await served.as_("admin").get("/audits", params={"format": "csv"})).text
        assert NODES in text and "TGU-01; TGU-02" in text

        async with served.runtime.database.transaction() as session:
            await execute(session, "DELETE FROM access_node WHERE code LIKE 'TGU%'")
        await served.at(NIGHT)
        assert [each["state"] for each in await audits(served)] == ["SOUND", "BROKEN"]
        assert (await measured(served))[NODES] == 0


async def test_nights_that_nobody_worked_are_seen_and_made_up_for_once(database: OpenDatabase) -> None:
    async with audited(await database("noc")) as served:
        await served.work()
        assert isinstance(served.runtime.clock, SimulatedClock)
        await served.runtime.clock.set(NIGHT + 3 * DAY + timedelta(hours=5))
        assert (await measured(served))["reconecta_audit_age_seconds"] == timedelta(days=3, hours=20).total_seconds()
        await served.work()
        assert [each["audited_at"] for each in await audits(served)] == ["2026-03-05T14:00:00Z", "2026-03-01T18:00:00Z"]
        assert (await measured(served))["reconecta_audit_age_seconds"] == 0
        assert await served.next_due() == NIGHT + 4 * DAY


async def test_two_workers_do_it_once(database: OpenDatabase) -> None:
    async with audited(await database("noc"), SLOW) as served:
        context = served.runtime.job_context(NOON)
        done = await asyncio.gather(*(audit_job(SLOW).run(context) for _ in range(4)))
        assert sorted(done) == [0, 0, 0, 1]
        assert len(await audits(served)) == 1
        assert await audit_job(SLOW).run(context) == 0, "done meanwhile"


async def test_who_dies_leaves_it_to_the_next(database: OpenDatabase) -> None:
    async with audited(await database("noc"), GATED) as served:
        async with under_way(served) as dying:
            dying.cancel()
            await asyncio.gather(dying, return_exceptions=True)
        assert [each["state"] for each in await audits(served)] == ["WAITING"]
        assert await served.next_due() == NOON
        await served.work()
        assert [each["state"] for each in await audits(served)] == ["SOUND"]


async def test_who_was_frozen_does_not_write_over_what_another_found(database: OpenDatabase) -> None:
    async with audited(await database("noc"), GATED) as served:
        async with under_way(served) as frozen, served.runtime.database.transaction() as session:
            await execute(session, "UPDATE lease SET holder = 'another', epoch = epoch + 1, expires_at = now() + interval '1 minute'")
        with pytest.raises(Fenced):
            await frozen
        assert [each["state"] for each in await audits(served)] == ["WAITING"]


async def test_somebody_asks_for_one_and_a_second_wish_is_the_same(database: OpenDatabase) -> None:
    async with audited(await database("noc"), nightly_audit=False) as served:
        await served.at(NIGHT + DAY)
        assert await audits(served) == [] and await served.next_due() is None
        answer = await served.as_("admin").post("/audits")
        assert (answer.status_code, answer.json()["state"], answer.json()["asked_by"]) == (202, "WAITING", "admin")
        assert (await served.as_("admin").post("/audits")).json()["id"] == answer.json()["id"]
        await served.work()
        [found] = await audits(served)
        assert (found["id"], found["state"], found["asked_by"]) == (answer.json()["id"], "SOUND", "admin")
        assert (await served.as_("admin").post("/audits")).json()["id"] != found["id"]


async def test_one_that_cannot_be_worked_out_says_so_and_counts_as_none(database: OpenDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    async with audited(await database("noc"), Sentences({"imposible": "SELECT 1 / (random() * 0)::int"})) as served:
        await served.work()
        [failed] = await audits(served)
        assert (failed["state"], failed["failure"]) == ("FAILED", "No se pudo terminar (DivisionByZeroError).")
        assert math.isinf((await measured(served))["reconecta_audit_age_seconds"])
        assert await served.next_due() == NIGHT, "the next night tries again"
    monkeypatch.setattr(auditing, "PATIENCE", 1)
    async with audited(await database("noc"), Sentences({"no acaba": "SELECT 1 FROM pg_sleep(60)"})) as served:
        await served.work()
        assert [each["failure"] for each in await audits(served)] == ["No se pudo terminar (QueryCanceledError)."]


async def test_the_last_ninety_stay(database: OpenDatabase) -> None:
    async with audited(await database("noc")) as served:
        await served.sql(
            "INSERT INTO audit_result (id, state, asked_at, audited_at, found) SELECT "
            "('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'SOUND', $1, $1, '[]' FROM generate_series(1, 95) n RETURNING 1",
            NOON - DAY,
        )
        await served.work()
        assert [row.count for row in await served.sql("SELECT count(*) FROM audit_result")] == [KEPT]
        assert (await audits(served, limit=1))[0]["audited_at"] == "2026-03-01T18:00:00Z"


async def test_a_long_look_holds_no_snapshot_back_and_a_slow_sentence_may_take_its_time(database: OpenDatabase) -> None:
    """What people wait for ends after a minute; an audit's statement does not."""
    seen: list[str] = []

    async def judge(snapshot: Any, _operator: Any) -> AsyncIterator[tuple[str, str]]:
        for _ in range(2):
            async with snapshot() as (session, now):
                row = (await rows(session, "SELECT txid_current_snapshot()::text AS shot, current_setting('statement_timeout') AS most, "
                                           "current_setting('transaction_read_only') AS reads"))[0]  # fmt: skip
                seen.append(row.shot)
                assert (row.most, row.reads, now) == ("30min", "on", NOON)
            async with served.runtime.database.transaction() as session:
                await execute(session, "INSERT INTO access_node (code, known_since) VALUES ('SPS-' || txid_current(), now())")
        yield "juzgado", "a"

    async with audited(await database("noc"), Sentences({}, ("juzgado", "otro"), judge)) as served:
        await served.work()
        assert len(set(seen)) == 4, "twice two looks, each its own"
        [found] = await audits(served)
        assert (found["sentences"], [(each["sentence"], each["count"]) for each in found["wrong"]]) == (6, [("juzgado", 1)])
