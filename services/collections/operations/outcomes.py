"""What ticketing and the notifier answer to collections' orders."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Suspension
from services.collections.operations.tidings import touch
from services.collections.rules.states import SuspensionState
from shared.db import execute, rows
from shared.events.notifier import MessageAccepted, MessageFailed
from shared.events.ticketing import (
    ReconnectionOrdered,
    ServiceReconnected,
    ServiceSuspended,
    SuspensionCancelled,
    SwitchUnresolved,
    TicketClosed,
)
from shared.operator import Operator
from shared.routing import FactMissing

Answer = ServiceSuspended | SuspensionCancelled | ReconnectionOrdered | ServiceReconnected
E = TypeVar("E", bound=Answer)
M = TypeVar("M", MessageAccepted, MessageFailed)
TICKETING = "ticketing"
NOTICES = "SELECT id, account_id FROM suspension_notice WHERE id = ANY($1::uuid[])"
ACCEPTED = """
UPDATE suspension_notice n SET accepted_at = t.at, failed_at = NULL, failure = NULL, known_at = $3
FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at) WHERE n.id = t.id AND n.accepted_at IS NULL
"""
FAILED = """
UPDATE suspension_notice n SET failed_at = t.at, failure = t.failure, known_at = $4
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS t(id, at, failure) WHERE n.id = t.id AND n.accepted_at IS NULL
"""
CUTS = """
SELECT s.id, s.basis, s.target_status, a.policy FROM suspension s JOIN account a ON a.id = s.account_id WHERE s.id = ANY($1::uuid[])
"""
# Of a reconnection that we did not ask for, all that we know is that it was done.
RECONNECTED = """
UPDATE suspension s SET reconnected_at = t.at, state = 'RECONNECTED', known_at = $7, suspended_at = coalesce(s.suspended_at, t.at),
    basis = t.basis, target_status = t.target, reconnection_id = coalesce(s.reconnection_id, t.reconnection),
    reconnection_requested_at = CASE WHEN s.reconnection_id IS NULL THEN t.at ELSE s.reconnection_requested_at END,
    reconnection_by = CASE WHEN s.reconnection_id IS NULL THEN $6 ELSE s.reconnection_by END
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[]) AS t(id, reconnection, at, basis, target)
WHERE s.id = t.id AND s.reconnected_at IS NULL
"""
COVERED = "paid"  # how a recovery's ticket closes when the debt is covered
DONE = ("suspended", "reconnected", "restricted", "released")
CUT_STATES = (SuspensionState.REQUESTED, SuspensionState.WITHDRAWN)


async def services_suspended(session: AsyncSession, *, events: Sequence[ServiceSuspended], now: datetime) -> None:
    """The cut was done, even where its order had been taken back meanwhile."""
    for cut, event in await _suspensions(session, events, now):
        if cut.suspended_at is None:
            cut.suspended_at, cut.known_at = event.suspended_at, now
            cut.state = SuspensionState.RECONNECTING if cut.reconnection_id is not None else SuspensionState.SUSPENDED


async def suspensions_cancelled(session: AsyncSession, *, events: Sequence[SuspensionCancelled], now: datetime) -> None:
    """The cut never happened: a payment came first, we took it back, or the network refused."""
    for cut, event in await _suspensions(session, events, now):
        if cut.state not in CUT_STATES:
            continue
        cut.ended_at, cut.ended_cause, cut.known_at = event.cancelled_at, event.cause, now
        cut.state = SuspensionState.REFUSED if event.cause == "refused" else SuspensionState.CANCELLED
        if event.cause != "withdrawn":
            cut.withdraw_cause = None  # something else ended it first: nothing is owed a repetition


async def reconnections_ordered(session: AsyncSession, *, events: Sequence[ReconnectionOrdered], operator: Operator, now: datetime) -> None:
    """A payment and a cut crossed, and ticketing ordered the reconnection itself; ours, if there is one, gave way to it."""
    policies = await _policies(session, events)
    for cut, event in await _suspensions(session, events, now):
        if cut.reconnected_at is not None:
            continue
        cut.reconnection_id, cut.reconnection_requested_at, cut.known_at = event.reconnection_id, event.ordered_at, now
        cut.reconnection_by, cut.basis = TICKETING, cut.basis or event.cause
        cut.target_status = _target(operator, policies[cut.account_id], cut.basis)
        if cut.suspended_at is not None:
            cut.state = SuspensionState.RECONNECTING


async def services_reconnected(session: AsyncSession, *, events: Sequence[ServiceReconnected], operator: Operator, now: datetime) -> None:
    """The service is on again; what was negotiated says which status follows (VIP-21)."""
    await session.flush()  # what this transaction heard before of the same orders
    await touch(session, (each.customer_id for each in events), now=now)
    told = {each.suspension_id: each for each in reversed(events)}  # the first counts
    cuts = await rows(session, CUTS, list(told))
    if missing := told.keys() - {row.id for row in cuts}:
        raise FactMissing(f"suspension {min(missing)} is not known yet")
    table = []
    for row in cuts:
        event = told[row.id]
        basis = row.basis or event.basis or "payment"
        target = row.target_status or _target(operator, row.policy, basis)
        table.append((row.id, event.reconnection_id, event.reconnected_at, basis, target))
    await execute(session, RECONNECTED, *map(list, zip(*table, strict=True)), TICKETING, now)


REFUSED = """
UPDATE suspension s SET state = 'SUSPENDED', reconnection_id = NULL, reconnection_requested_at = NULL, reconnection_by = NULL, basis = NULL,
    target_status = NULL, reconnection_refused_at = t.at, known_at = $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at)
WHERE s.reconnection_id = t.id AND s.state = 'RECONNECTING'
"""


RECOVERED = """
UPDATE suspension s SET recovery_ended_at = t.at, known_at = $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at)
WHERE s.recovery_id = t.id
"""


async def tickets_closed(session: AsyncSession, *, events: Sequence[TicketClosed], now: datetime) -> None:
    """A reconnection's ticket that closed without it: the service is still cut, and another reconnection may be asked for. A recovery's
    that closed because the debt was covered: the case is ours again."""
    failed = [each for each in events if each.request_id is not None and each.outcome not in DONE]
    if failed:
        await touch(session, (each.customer_id for each in failed), now=now)
        await execute(session, REFUSED, [each.request_id for each in failed], [each.closed_at for each in failed], now)
    paid = [each for each in failed if each.outcome == COVERED]
    if paid:
        await execute(session, RECOVERED, [each.request_id for each in paid], [each.closed_at for each in paid], now)


async def switch_unresolved(session: AsyncSession, *, event: SwitchUnresolved, now: datetime) -> None:
    """The network's answer is unknown, or a refusal: shown with the account, decided by nobody here."""
    await touch(session, [event.customer_id], now=now)
    found = await _unfinished(session, event.customer_id)
    if found is not None:
        found.unresolved_at, found.unresolved, found.known_at = event.at, event.detail, now


async def messages_accepted(session: AsyncSession, *, events: Sequence[MessageAccepted], now: datetime) -> None:
    """All mail servers took these notices: the hours before the cut begin (VIP-10). Other mails change nothing here."""
    told = await _of_notices(session, events[::-1], now)  # the first counts
    if told:
        await execute(session, ACCEPTED, list(told), [each.accepted_at for each in told.values()], now)


async def messages_failed(session: AsyncSession, *, events: Sequence[MessageFailed], now: datetime) -> None:
    """Somebody will not get the notice: it does not count until it is mended or sent anew."""
    told = await _of_notices(session, events, now)
    failures = [f"{each.recipient}: {each.reason}" for each in told.values()]
    if told:
        await execute(session, FAILED, list(told), [each.failed_at for each in told.values()], failures, now)


async def _of_notices(session: AsyncSession, events: Sequence[M], now: datetime) -> dict[UUID, M]:
    """What is told of notices, by notice, the last of each; the accounts are locked, and looked at again."""
    told = {notice: each for each in events if (notice := _as_id(each.reference)) is not None}
    known = {row.id: row.account_id for row in await rows(session, NOTICES, list(told))} if told else {}
    if known:
        await touch(session, known.values(), now=now)
    return {notice: told[notice] for notice in known}


def _as_id(reference: str) -> UUID | None:
    """What a message refers to, unless that is no id of ours."""
    try:
        return UUID(reference)
    except ValueError:
        return None


async def _suspensions(session: AsyncSession, events: Sequence[E], now: datetime) -> list[tuple[Suspension, E]]:
    """The order that each event answers, in the order of the events. Raises FactMissing for one that is not known."""
    await touch(session, (each.customer_id for each in events), now=now)
    query = select(Suspension).where(col(Suspension.id).in_({each.suspension_id for each in events}))
    found = {each.id: each for each in (await session.execute(query.execution_options(populate_existing=True))).scalars()}
    for each in events:
        if each.suspension_id not in found:
            raise FactMissing(f"suspension {each.suspension_id} is not known yet")
    return [(found[each.suspension_id], each) for each in events]


async def _policies(session: AsyncSession, events: Sequence[Answer]) -> dict[UUID, str]:
    sql = "SELECT id, policy FROM account WHERE id = ANY($1::uuid[])"
    return {row.id: row.policy for row in await rows(session, sql, [each.customer_id for each in events])}


def _target(operator: Operator, policy: str, basis: str) -> str:
    """The status that follows a basis of a reconnection; one that only undoes a cut (withdrawn too late) leads back to where it began."""
    targets: Mapping[Any, str] = operator.policy(policy).reconnection.target_status
    return targets.get(basis, "active")


async def _unfinished(session: AsyncSession, customer_id: UUID) -> Suspension | None:
    query = select(Suspension).where(Suspension.account_id == customer_id).order_by(col(Suspension.requested_at).desc()).limit(1)
    return (await session.execute(query)).scalars().first()
