"""The job that calls the network, and the one that watches deadlines."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import copytree

import pytest

from services.ticketing.adapters.network import SimulatedNetwork
from services.ticketing.jobs import switching
from services.ticketing.operations.claiming import IN_TURN, PER_NODE, Claim, claim_switches, note_nodes, renew_claims
from services.ticketing.operations.queueing import cancel_switches
from services.ticketing.operations.switches import Answer, record_answers
from shared.db import Database, execute
from shared.events.ticketing import SwitchUnresolved
from shared.operator import load_operator
from tests.support.service import Served
from tests.support.transport import until
from tests.ticketing.support import START, Debtor, is_on, plan, story, ticketing, tickets

Open = Callable[[str], Awaitable[Database]]


async def cut(served: Served, *debtors: Debtor) -> None:
    for debtor in debtors:
        await served.deliver(*debtor.known(), debtor.requested())


async def calls(served: Served) -> list[tuple[str, bool]]:
    """What the simulated network was asked and did."""
    return [(row.answer, row.effect) for row in await served.sql("SELECT answer, effect FROM simulated_call ORDER BY id")]


async def test_an_unknown_answer_is_tried_again_under_the_same_id(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await plan(served, "unknown,unknown,done")
        await cut(served, Debtor())
        await served.work()
        assert (await story(served), await is_on(served)) == ([], True)
        await served.at(START + timedelta(hours=2))
        assert await story(served) == ["ServiceSuspended"]
        assert await calls(served) == [("unknown", False), ("done", True)]  # in between it was asked, in vain
        assert len(await served.sql("SELECT DISTINCT switch_id FROM simulated_call")) == 1


async def test_what_the_network_did_in_silence_is_found_by_asking(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await plan(served, "unknown_done,done")
        await cut(served, Debtor())
        await served.work()
        assert (await story(served), await is_on(served)) == ([], False)
        await served.at(START + timedelta(minutes=2))
        assert await story(served) == ["ServiceSuspended"]
        assert await calls(served) == [("unknown_done", True)]


async def test_a_network_that_stays_silent_is_told_once_and_asked_on(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await plan(served, "unknown")
        debtor = Debtor()
        await cut(served, debtor)
        await served.at(START + timedelta(days=2))
        told = [each.event for each in await served.published(SwitchUnresolved)]
        assert [(each.action, each.outcome) for each in told] == [("suspend", "unknown")]
        await served.deliver(debtor.reported())
        await plan(served, "done")
        await served.at(START + timedelta(days=3))
        assert await story(served) == ["ServiceSuspended", "ReconnectionOrdered (payment)", "ServiceReconnected"]


async def test_a_call_that_takes_too_long_is_unknown_and_not_done_twice(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await plan(served, "slow,done", slow_ms=400)
        await cut(served, Debtor())
        await switching.run(served.runtime.job_context(START), call_seconds=0.1)
        assert await story(served) == []
        await served.at(START + timedelta(minutes=2))
        assert await story(served) == ["ServiceSuspended"]
        assert [effect for _, effect in await calls(served)].count(True) == 1


async def test_who_waits_long_for_the_network_keeps_its_claim(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await plan(served, "slow", slow_ms=1500)
        await cut(served, Debtor())
        assert await served.prolongs("network_switch", switching.run(served.runtime.job_context(START)))


async def test_a_dead_access_server_delays_nobody_else(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        dead = [Debtor(logins=[f"dead-{number}"], node="SPS-OLT-9") for number in range(PER_NODE + 2)]
        for debtor in dead:
            await plan(served, "slow", login=debtor.logins[0], slow_ms=60_000)
        await cut(served, *dead)
        running = asyncio.create_task(switching.run(served.runtime.job_context(START), call_seconds=3.0))
        await asyncio.sleep(0.3)
        await cut(served, Debtor(logins=["alive"], node="SPS-OLT-1"))
        while await is_on(served, "alive"):
            assert not running.done()
            await asyncio.sleep(0.02)
        claimed = await served.sql("SELECT count(*) AS n FROM network_switch WHERE state = 'CLAIMED' AND access_node = 'SPS-OLT-9'")
        assert 0 < claimed[0].n <= PER_NODE
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_one_switch_asks_for_a_silent_access_node_and_at_its_answer_all_are_due(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        crowd = [Debtor(logins=[f"s{number}"], node="SPS-OLT-9") for number in range(PER_NODE + 3)]
        for debtor in crowd:
            await plan(served, "unknown", login=debtor.logins[0])
        await cut(served, *crowd)
        await served.work()
        assert len(await calls(served)) == PER_NODE  # nobody knew better yet
        assert await served.next_due() == START + timedelta(seconds=5)
        await served.at(START + timedelta(seconds=19))
        assert len(await calls(served)) == PER_NODE + 1
        await served.at(START + timedelta(seconds=20))
        assert len(await calls(served)) == PER_NODE + 2
        untouched = await served.sql("SELECT 1 FROM network_switch WHERE state = 'QUEUED' AND attempts = 0")
        assert len(untouched) == 1
        for debtor in crowd:
            await plan(served, "done", login=debtor.logins[0])
        await served.at(START + timedelta(seconds=50))
        assert await story(served) == ["ServiceSuspended"] * len(crowd)
        assert await served.sql("SELECT 1 FROM silent_node") == []


async def test_two_workers_keep_one_budget_of_an_access_node(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await cut(served, *(Debtor(logins=[f"b{number}"], node="SPS-OLT-9") for number in range(PER_NODE + 2)))

        async def claim(holder: str, now: datetime = START) -> list[Claim]:
            async with served.runtime.database.transaction(IN_TURN) as session:
                return await claim_switches(session, holder=holder, limit=3, silent_limit=9, now=now)

        async with served.runtime.database.transaction(IN_TURN) as session:
            one = await claim_switches(session, holder="one", limit=3, silent_limit=9, now=START)
            claiming = asyncio.create_task(claim("two"))
            await until(served.waits)
        two = await claiming
        assert len(one) + len(two) == PER_NODE
        assert {each.id for each in one}.isdisjoint(each.id for each in two)
        async with served.runtime.database.transaction() as session:
            await execute(session, "UPDATE network_switch SET state = 'UNKNOWN' WHERE state = 'CLAIMED'")
            await note_nodes(session, answered=[], silent={"SPS-OLT-9": False}, now=START)
        assert await claim("one") == []
        later = START + timedelta(seconds=5)
        found = await claim("one", later) + await claim("two", later)
        assert [each.silent for each in found] == [True]


ENDS = "UPDATE network_switch SET claimed_until = clock_timestamp() {}"


@pytest.mark.parametrize("since", ["- interval '1 second'", "+ interval '1 hour'"], ids=["past", "the clock was set back"])
async def test_a_switch_whose_worker_died_is_taken_up_again_when_its_lease_ends(database: Open, since: str) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await cut(served, debtor)
        async with served.runtime.database.transaction() as session:
            (claim,) = await claim_switches(session, holder="the dead one", limit=9, silent_limit=9, now=START)
        await SimulatedNetwork(served.runtime.database).switch(claim)
        await served.deliver(debtor.reported())
        assert await switching.run(served.runtime.job_context(START)) == 0
        assert await served.next_due() == START  # the conductor must not move the clock past it
        async with served.runtime.database.transaction() as session:
            await execute(session, ENDS.format(since))
            await renew_claims(session, holders={claim.holder})
            assert await claim_switches(session, holder="another", limit=9, silent_limit=9, now=START) == []
            await execute(session, ENDS.format(since))
        await served.work()
        assert await story(served) == ["ServiceSuspended", "ReconnectionOrdered (payment)", "ServiceReconnected"]
        assert (await calls(served), await is_on(served)) == ([("done", True), ("done", True)], True)


@pytest.mark.parametrize("since", ["- interval '1 second'", "+ interval '1 hour'"], ids=["past", "the clock was set back"])
async def test_a_switch_whose_worker_died_waits_for_its_silent_access_node_and_so_does_the_conductor(database: Open, since: str) -> None:
    """Nobody may call for it before: a clock that waited for it would wait for ever."""
    async with ticketing(await database("ticketing")) as served:
        await cut(served, Debtor())
        async with served.runtime.database.transaction() as session:
            (claim,) = await claim_switches(session, holder="the dead one", limit=9, silent_limit=9, now=START)
            await note_nodes(session, answered=[], silent={claim.node: False}, now=START)
        assert await served.next_due() == START, "who has it may be alive"
        await served.sql(f"{ENDS.format(since)} RETURNING 1")
        (node,) = await served.sql("SELECT retry_at FROM silent_node")
        assert await served.next_due() == max(node.retry_at, await served.now()), "its turn"
        await served.at(node.retry_at)
        assert (await story(served), await is_on(served)) == (["ServiceSuspended"], False)


async def test_the_answer_of_who_lost_its_claim_is_left_alone(database: Open) -> None:
    """Whoever took the switch over asks again, under the same id, and keeps what it hears."""
    async with ticketing(await database("ticketing")) as served:
        await cut(served, Debtor())

        async def claim(holder: str) -> Claim:
            async with served.runtime.database.transaction() as session:
                await execute(session, "UPDATE network_switch SET claimed_until = clock_timestamp() - interval '1 second'")
                return (await claim_switches(session, holder=holder, limit=9, silent_limit=9, now=START))[0]

        async def answer(claim: Claim) -> int:
            async with served.runtime.database.transaction() as session:
                return await record_answers(session, answered=[(claim, Answer("done"))], operator=served.runtime.operator, now=START)

        late, now_its = await claim("late"), await claim("another")
        assert (await answer(late), await story(served)) == (0, [])
        assert (await answer(now_its), await story(served)) == (1, ["ServiceSuspended"])
        assert await answer(now_its) == 0


async def test_a_payment_that_comes_while_its_switch_is_claimed_waits_for_the_claim(database: Open) -> None:
    """Else it would cancel a cut that the network is about to be asked for."""
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await cut(served, debtor)
        async with served.runtime.database.transaction() as session:
            await claim_switches(session, holder="another", limit=9, silent_limit=9, now=START)
            paying = asyncio.create_task(served.deliver(debtor.reported()))
            await until(served.waits)
        await paying
        assert (await served.sql("SELECT crossed FROM suspension"))[0].crossed, "the invariants look at those who paid in time by this"
        await served.sql("UPDATE network_switch SET claimed_until = clock_timestamp() - interval '1 second' RETURNING 1")
        await served.work()
        assert await story(served) == ["ServiceSuspended", "ReconnectionOrdered (payment)", "ServiceReconnected"]


async def test_what_is_being_cancelled_is_not_claimed(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await cut(served, Debtor())
        (switch,) = await served.sql("SELECT ticket_id, step FROM network_switch")

        async def claim() -> list[Claim]:
            async with served.runtime.database.transaction() as other:
                return await claim_switches(other, holder="another", limit=9, silent_limit=9, now=START)

        async with served.runtime.database.transaction() as session:
            await cancel_switches(session, ticket_id=switch.ticket_id, step=switch.step, now=START)
            claiming = asyncio.create_task(claim())
            await asyncio.wait({claiming}, timeout=0.5)
        assert await claiming == []


async def test_payments_and_workers_that_run_at_once_never_leave_a_payer_cut(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtors = [Debtor(logins=[f"l{number}"], node=f"n{number}") for number in range(24)]
        await served.deliver(*(event for debtor in debtors for event in debtor.known()))
        await served.deliver(*(debtor.requested() for debtor in debtors))
        payments = [debtor.reported() for debtor in debtors]

        async def pay() -> None:
            for payment in payments:
                await served.deliver(payment)

        await asyncio.gather(pay(), switching.run(served.runtime.job_context(START)), switching.run(served.runtime.job_context(START)))
        await served.work()
        told = await story(served)
        assert all([await is_on(served, debtor.logins[0]) for debtor in debtors])
        assert told.count("SuspensionCancelled (payment)") + told.count("ServiceSuspended") == 24
        assert told.count("ReconnectionOrdered (payment)") == told.count("ServiceReconnected") == told.count("ServiceSuspended")


async def test_a_customer_without_services_is_not_cut(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await cut(served, Debtor(logins=[]))
        await served.work()
        assert await story(served) == ["SuspensionCancelled (refused)"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The operator's files, to be edited."""
    return copytree(Path("deploy/operators/vip_isp"), tmp_path / "operator")


async def test_deadlines_count_working_hours_and_a_running_ticket_keeps_its_procedure(database: Open, folder: Path) -> None:
    path = folder / "procedures" / "suspendido_cliente_vip.yaml"
    text = "\n".join(line for line in path.read_text().splitlines() if "deadline:" not in line)
    path.write_text(text.replace("    role: ingenieria\n", "    role: ingenieria\n    deadline: {business_hours: 4}\n", 1))
    async with ticketing(await database("ticketing"), using=load_operator(folder)) as served:
        await cut(served, Debtor(delivery="third_party", logins=["a"]))
        path.write_text(text.replace("version: 2", "version: 3").replace("done: {label: Completar,", "listo: {label: Listo,"))
        object.__setattr__(served.runtime, "operator", load_operator(folder))
        served.app.state.operator = served.inbox.operator = served.runtime.operator
        await cut(served, Debtor(delivery="third_party", logins=["b"]))

        reader = served.as_("oscar.banegas")
        tasks = (await reader.get("/tasks")).json()["items"]
        # The 28th is a Saturday in Honduras: four working hours end on Monday at noon, 18:00 UTC.
        assert [each["deadline"] for each in tasks] == ["2026-03-30T18:00:00Z", None]
        await served.at(START + timedelta(days=3))
        assert [each["late"] for each in (await reader.get("/tasks")).json()["items"]] == [True, False]
        assert 'reconecta_ticketing_tasks_overdue{kind="ingenieria",service="ticketing"} 1.0' in (await reader.get("/metrics")).text
        outcomes = []
        for listed in reversed((await reader.get("/tickets")).json()["items"]):
            answer = await reader.post(
                f"/tickets/{listed['id']}/steps/confirmar/finish",
                json={"outcome": "done", "comment": "Suspendido"},
                headers={"if-match": str((await reader.get(f"/tickets/{listed['id']}")).json()["version"])},
            )
            step = next(each for each in answer.json()["steps"] if each["code"] == "completar")
            outcomes.append(([each["code"] for each in step["outcomes"]], answer.json()["procedure_version"]))
        assert outcomes == [(["done"], 2), (["listo"], 3)]
        assert await served.sql("SELECT 1 FROM timer") == []


async def test_a_ticket_closes_by_itself_on_an_event_that_its_procedure_names(database: Open, folder: Path) -> None:
    path = folder / "procedures" / "suspendido_cliente_vip.yaml"
    path.write_text(path.read_text() + "closes_on: [{event: payment_reported, outcome: refused}]\n")
    async with ticketing(await database("ticketing"), using=load_operator(folder)) as served:
        debtor = Debtor(delivery="third_party")
        await cut(served, debtor)
        await served.deliver(debtor.reported(Decimal(10)))
        assert await tickets(served) == [("SUSPENDIDO CLIENTE VIP", "refused")]
        assert await story(served) == ["SuspensionCancelled (refused)"]
