"""What ticketing and the notifier answer to collections' orders."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Account, Notice, Suspension
from services.collections.operations.tidings import touch
from services.collections.rules.states import SuspensionState
from shared.events.notifier import MessageAccepted, MessageFailed
from shared.events.ticketing import ReconnectionOrdered, ServiceReconnected, ServiceSuspended, SuspensionCancelled, SwitchUnresolved
from shared.inbox import FactMissing
from shared.operator import Operator

CUT_STATES = (SuspensionState.REQUESTED, SuspensionState.WITHDRAWN)


async def service_suspended(session: AsyncSession, *, event: ServiceSuspended, now: datetime) -> None:
    """The cut was done, even where its order had been taken back meanwhile."""
    cut = await _suspension(session, event.suspension_id, event.customer_id, now)
    if cut.suspended_at is None:
        cut.suspended_at = event.suspended_at
        cut.state = SuspensionState.RECONNECTING if cut.reconnection_id is not None else SuspensionState.SUSPENDED


async def suspension_cancelled(session: AsyncSession, *, event: SuspensionCancelled, now: datetime) -> None:
    """The cut never happened: a payment came first, we took it back, or the network refused."""
    cut = await _suspension(session, event.suspension_id, event.customer_id, now)
    if cut.state in CUT_STATES:
        cut.ended_at, cut.ended_cause = event.cancelled_at, event.cause
        if event.cause != "withdrawn":
            cut.withdraw_cause = None  # something else ended it first: nothing is owed a repetition
        cut.state = SuspensionState.REFUSED if event.cause == "refused" else SuspensionState.CANCELLED


async def reconnection_ordered(session: AsyncSession, *, event: ReconnectionOrdered, operator: Operator, now: datetime) -> None:
    """A payment and a cut crossed, and ticketing ordered the reconnection itself; ours, if there is one, gave way to it."""
    cut = await _suspension(session, event.suspension_id, event.customer_id, now)
    if cut.reconnected_at is not None:
        return
    cut.reconnection_id, cut.reconnection_requested_at = event.reconnection_id, event.ordered_at
    cut.reconnection_by, cut.basis = "ticketing", cut.basis or "payment"
    cut.target_status = (await _targets(session, cut, operator))[cut.basis]
    if cut.suspended_at is not None:
        cut.state = SuspensionState.RECONNECTING


async def service_reconnected(session: AsyncSession, *, event: ServiceReconnected, operator: Operator, now: datetime) -> None:
    """The service is on again; what was negotiated says which status follows (VIP-21)."""
    cut = await _suspension(session, event.suspension_id, event.customer_id, now)
    if cut.reconnected_at is not None:
        return
    cut.reconnected_at, cut.state = event.reconnected_at, SuspensionState.RECONNECTED
    cut.suspended_at = cut.suspended_at or event.reconnected_at
    if cut.reconnection_id is None:
        cut.reconnection_id, cut.reconnection_requested_at = event.reconnection_id, event.reconnected_at
    cut.basis = cut.basis or event.basis or "payment"
    cut.target_status = cut.target_status or (await _targets(session, cut, operator)).get(cut.basis, "temporary_active")


async def switch_unresolved(session: AsyncSession, *, event: SwitchUnresolved, now: datetime) -> None:
    """The network's answer is unknown, or a refusal: shown with the account, decided by nobody here."""
    await touch(session, [event.customer_id], now=now)
    found = await _unfinished(session, event.customer_id)
    if found is not None:
        found.unresolved_at, found.unresolved = event.at, event.detail


async def message_accepted(session: AsyncSession, *, event: MessageAccepted, now: datetime) -> None:
    """All mail servers took the notice: the hours before the cut begin (VIP-10)."""
    await touch(session, [event.customer_id], now=now)
    notice = await _notice(session, event.reference)
    if notice is not None and notice.accepted_at is None:
        notice.accepted_at, notice.failed_at, notice.failure = event.accepted_at, None, None


async def message_failed(session: AsyncSession, *, event: MessageFailed, now: datetime) -> None:
    """Somebody will not get the notice: it does not count until it is mended or sent anew."""
    await touch(session, [event.customer_id], now=now)
    notice = await _notice(session, event.reference)
    if notice is not None and notice.accepted_at is None:
        notice.failed_at, notice.failure = event.failed_at, f"{event.recipient}: {event.reason}"


async def _suspension(session: AsyncSession, suspension_id: UUID, customer_id: UUID, now: datetime) -> Suspension:
    await touch(session, [customer_id], now=now)
    found = await session.get(Suspension, suspension_id, populate_existing=True)
    if found is None or found.account_id != customer_id:
        raise FactMissing(f"suspension {suspension_id} is not known yet")
    return found


async def _targets(session: AsyncSession, cut: Suspension, operator: Operator) -> Mapping[str, str]:
    """The status that follows each basis of a reconnection, by the account's policy."""
    account = await session.get_one(Account, cut.account_id, populate_existing=True)
    return cast(Mapping[str, str], operator.policy(account.policy).reconnection.target_status)


async def _unfinished(session: AsyncSession, customer_id: UUID) -> Suspension | None:
    query = select(Suspension).where(Suspension.account_id == customer_id).order_by(col(Suspension.requested_at).desc()).limit(1)
    return (await session.execute(query)).scalars().first()


async def _notice(session: AsyncSession, reference: str) -> Notice | None:
    """The notice that a message refers to; None for messages about something else."""
    try:
        notice_id = UUID(reference)
    except ValueError:
        return None
    return await session.get(Notice, notice_id, populate_existing=True)
