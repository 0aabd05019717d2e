"""A payment against a cut: every order in which the request, the payment, its rejection, the withdrawal, a reconnection's request, the
people's clicks, the claim and the network's answer can meet, each played by a customer of its own on a real database.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.operations import claiming
from services.ticketing.operations.claiming import Claim, claim_switches
from services.ticketing.operations.steps import finish_step
from services.ticketing.operations.switches import Answer, record_answers
from shared.auth import Principal
from shared.clock import machine_now
from shared.db import Database, rows
from shared.errors import Refused
from shared.events.billing import PaymentReported
from shared.events.ticketing import ReconnectionOrdered, ServiceReconnected, ServiceSuspended, SuspensionCancelled, TicketOpened
from tests.support.rules import rule
from tests.support.service import Served
from tests.ticketing.support import START, Debtor, ticketing

Open = Callable[[str], Awaitable[Database]]
# What comes after what: one sender's events keep their order, and nothing answers that was not called.
AFTER = {
    "reject": "pay",
    "withdraw": "request",
    "reconnect": "request",
    "claim": "request",
    "answer": "claim",
    "unknown": "claim",
    "claim again": "unknown",
    "answer again": "claim again",
    "confirm": "request",
    "click": "confirm",
}


def orders(*steps: str) -> Iterator[tuple[str, ...]]:
    """Every order of these steps that AFTER allows."""
    for order in permutations(steps):
        if all(order.index(before) < order.index(step) for step, before in AFTER.items() if step in order and before in order):
            yield order


@dataclass
class Play:
    """One customer, one order of things, and what came of it. `outcome` is the network's answer to the cut."""

    order: tuple[str, ...]
    outcome: str
    debtor: Debtor
    payment: PaymentReported | None = None
    claim: Claim | None = None
    cut_at: int | None = None
    told: list[tuple[int, str, int]] = field(default_factory=list)

    def before_the_cut(self, step: str) -> bool:
        """Did the step come before the network had cut the service?"""
        return step in self.order and (self.cut_at is None or self.order.index(step) < self.cut_at)


def plays(delivery: Any, outcome: str, *sets: tuple[str, ...]) -> list[Play]:
    found: list[Play] = []
    for steps in sets:
        for order in orders(*steps):
            number = len(found)
            debtor = Debtor(delivery=delivery, logins=[f"{outcome}-{delivery}-{number}"], node=f"node-{number}")
            found.append(Play(order, outcome, debtor))
    return found


async def perform(served: Served, play: Play, place: int) -> None:
    """Do what the play has at this place, if it is not an event."""
    step = play.order[place]
    async with served.runtime.database.transaction() as session:
        if step in ("claim", "claim again"):
            play.claim = await claim_of(session, play.debtor.id)
        elif step in ("answer", "answer again", "unknown") and play.claim is not None:
            answer = Answer("unknown") if step == "unknown" else Answer(play.outcome)  # type: ignore[arg-type]
            assert await record_answers(session, answered=[(play.claim, answer)], operator=served.runtime.operator, now=START)
            if step != "unknown" and play.outcome == "done":
                play.cut_at = place
                await rows(session, "INSERT INTO simulated_service (login, active) VALUES ($1, false) RETURNING 1", play.debtor.logins[0])
        elif step == "confirm":
            await finish(session, served, play, "confirmar", "oscar.banegas", "ingenieria")
        elif step == "click":
            await finish(session, served, play, "completar", "ana.martinez", "cobros")


async def claim_of(session: AsyncSession, customer: UUID) -> Claim | None:
    """Claim this customer's switch as a worker would that sees no others."""
    mine = claiming.CLAIM.replace("WHERE ((s.state", f"WHERE s.customer_id = '{customer}' AND ((s.state")
    assert mine != claiming.CLAIM
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claiming, "CLAIM", mine)
        found = await claim_switches(session, holder="worker", limit=1, silent_limit=1, now=START + timedelta(days=1))
    return found[0] if found else None


async def finish(session: AsyncSession, served: Served, play: Play, step: str, person: str, desk: str) -> None:
    found = await rows(session, "SELECT id, revision FROM ticket WHERE request_id = $1", play.debtor.suspension_id)
    try:
        await finish_step(
            session,
            ticket_id=found[0].id,
            step=step,
            outcome="done",
            captured={},
            comment="Suspendido con el proveedor",
            actor=Principal(person, person, frozenset({desk}), "t", machine_now()),
            seen=found[0].revision,
            operator=served.runtime.operator,
            now=START,
        )
    except Refused:
        return  # somebody was faster: a payment, or the system


def event_at(play: Play, place: int) -> Any:
    """The event that the play has at this place, made now."""
    match play.order[place]:
        case "request":
            return play.debtor.requested()
        case "pay":
            play.payment = play.debtor.reported()
            return play.payment
        case "reject":
            assert play.payment is not None
            return play.debtor.rejected(play.payment)
        case "withdraw":
            return play.debtor.withdrawn()
        case "reconnect":
            return play.debtor.reconnection()
    return None


async def play_all(served: Served, all_plays: Sequence[Play]) -> None:
    """Play all plays abreast, place by place; then let the workers finish what is left."""
    await served.deliver(*(event for play in all_plays for event in play.debtor.known()))
    for place in range(max(len(play.order) for play in all_plays)):
        here = [play for play in all_plays if place < len(play.order)]
        events = [event for play in here if (event := event_at(play, place)) is not None]
        if events:
            await served.deliver(*events)
        for play in here:
            await perform(served, play, place)
    await served.at(START + timedelta(days=2))
    await listen(served, all_plays)


async def listen(served: Served, all_plays: Sequence[Play]) -> None:
    """Sort what was told by customer: its place in the outbox, what it was, and its number within its aggregate."""
    by_customer = {str(play.debtor.id): play for play in all_plays}
    kinds = (SuspensionCancelled, ServiceSuspended, ReconnectionOrdered, ServiceReconnected, TicketOpened)
    for place, each in enumerate(await served.published(*kinds)):
        name = f"TicketOpened {each.event.procedure}" if isinstance(each.event, TicketOpened) else type(each.event).__name__
        by_customer[each.key].told.append((place, name, each.sequence))


def check(play: Play, active: bool) -> None:
    """What must hold however things met."""
    names = [name for _, name, _ in play.told]
    places = {name: place for place, name, _ in reversed(play.told)}
    back = [name for name in names if name.startswith("TicketOpened reconexion")]
    shown = f"{play.order} {play.outcome}: {names}"
    assert names.count("SuspensionCancelled") + names.count("ServiceSuspended") == 1, shown
    assert names.count("ServiceReconnected") == len(back) <= 1, shown
    assert names.count("ReconnectionOrdered") <= 1, shown
    if back:
        assert places["ServiceSuspended"] < places[back[0]], shown
    numbers = [number for _, name, number in play.told if not name.startswith("TicketOpened")]
    assert numbers == list(range(1, len(numbers) + 1)), shown
    cut = "ServiceSuspended" in names and "ServiceReconnected" not in names
    assert active == (not cut), shown
    paid = play.before_the_cut("pay") and not play.before_the_cut("reject")
    if paid or play.before_the_cut("withdraw") or "reconnect" in play.order:
        assert not cut, shown
    elif play.outcome == "done" and "pay" not in play.order:
        assert cut, shown


async def states(served: Served) -> dict[str, bool]:
    return {row.login: row.active for row in await served.sql("SELECT login, active FROM simulated_service")}


@rule("VIP-12", "VIP-20")
@pytest.mark.parametrize("outcome", ["done", "refused"])
async def test_own_delivery(database: Open, outcome: str) -> None:
    async with ticketing(await database("ticketing")) as served:
        cut = ("request", "claim", "answer")
        found = plays(
            "own",
            outcome,
            cut,
            (*cut, "pay"),
            (*cut, "pay", "reject", "withdraw"),
            (*cut, "pay", "reject", "reconnect"),
            (*cut, "pay", "withdraw", "reconnect"),
            ("request", "pay", "reject", "withdraw"),
            ("request", "pay", "reconnect"),
        )
        await play_all(served, found)
        active = await states(served)
        for play in found:
            check(play, active.get(play.debtor.logins[0], True))
        assert len(found) > 100


async def test_own_delivery_with_a_network_that_says_nothing_at_first(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        cut = ("request", "claim", "unknown", "claim again", "answer again")
        found = plays("own", "done", (*cut, "pay", "reject"), (*cut, "pay"), (*cut, "withdraw"), (*cut, "reconnect"))
        await play_all(served, found)
        active = await states(served)
        for play in found:
            check(play, active.get(play.debtor.logins[0], True))
            assert [name for _, name, _ in play.told].count("ServiceSuspended") <= 1


@rule("VIP-14", "VIP-22")
async def test_third_party_delivery(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        steps = ("request", "confirm", "click")
        found = plays(
            "third_party",
            "done",
            steps,
            (*steps, "pay", "reject"),
            (*steps, "pay", "claim", "answer"),
            (*steps, "withdraw"),
            (*steps, "pay", "withdraw"),
            ("request", "confirm", "pay"),
            ("request", "confirm", "withdraw"),
        )
        await play_all(served, found)
        for play in found:
            await reconnect_by_hand(served, play)
        await served.work()
        for play in found:
            play.told.clear()
        await listen(served, found)
        for play in found:
            names = [name for _, name, _ in play.told]
            check(play, "ServiceReconnected" in names or "ServiceSuspended" not in names)


async def reconnect_by_hand(served: Served, play: Play) -> None:
    """The agent activates what the system asked Engineering to reconnect."""
    async with served.runtime.database.transaction() as session:
        found = await rows(
            session,
            "SELECT id, revision FROM ticket WHERE customer_id = $1 AND kind LIKE 'RECONEXION%' AND closed_at IS NULL",
            play.debtor.id,
        )
        for row in found:
            await finish_step(
                session,
                ticket_id=row.id,
                step="completar",
                outcome="done",
                captured={},
                comment=None,
                actor=Principal("ana.martinez", "Ana Martínez", frozenset({"cobros"}), "t", machine_now()),
                seen=row.revision,
                operator=served.runtime.operator,
                now=START,
            )
