"""What is ordered, by an agent or by the policy itself: notices, cuts, withdrawals, reconnections, dispatches, reminders."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections import models
from services.collections.models import Notice
from services.collections.operations.changes import Changes, Rows, id_array
from services.collections.rules import wording
from services.collections.rules.actions import ChargeFee
from services.collections.rules.charging import reconnection_fee
from services.collections.rules.cuts import cut_reason
from services.collections.rules.debts import believed_open, overdue, owed, reported_between, unpaid
from services.collections.rules.facts import Facts, Invoice
from services.collections.rules.facts import Suspension as Cut
from services.collections.rules.holds import delivery_to_cut, held_services, running_holds, told_hold
from services.collections.rules.states import SYSTEM, Source, SuspensionState, WithdrawCause
from services.collections.rules.terms import Terms
from shared.bulk import Sql
from shared.db import execute, new_id
from shared.events.collections import (
    FeeDue,
    InvoiceDispatchRequested,
    ReconnectionRequested,
    ReminderRequested,
    SuspensionNoticeRequested,
    SuspensionRequested,
    SuspensionWithdrawn,
)
from shared.operator import Reminder


async def send_notice(session: AsyncSession, changes: Changes, facts: Facts, *, by: str, reason: str | None) -> Notice:
    """Have the desks told that a cut is coming for what is overdue (VIP-10)."""
    made = _notice(facts, changes.terms(facts.policy), changes.now, by=by, reason=reason)
    session.add(made)
    event = SuspensionNoticeRequested(
        notice_id=made.id,
        customer_id=facts.account_id,
        notice=made.notice,
        amount=made.amount,
        currency=made.currency,
        reason=made.reason,
        requested_by=by,
        requested_at=changes.now,
    )
    changes.tell(facts.account_id, event)
    return made


def _notice(facts: Facts, terms: Terms, now: datetime, *, by: str, reason: str | None) -> Notice:
    wanted, debts = terms.policy.suspension.notice, overdue(facts, now) or unpaid(facts, now)
    assert wanted is not None
    return Notice(
        id=new_id(),
        account_id=facts.account_id,
        notice=wanted.name,
        period=next((each.period for each in debts if each.fee is None), debts[0].period),
        amount=owed(debts, now),
        currency=facts.currency,
        reason=reason or cut_reason(facts, terms, now),
        requested_by=by,
        source=_source(by),
        requested_at=now,
    )


CUT = Rows(
    models.Suspension,
    (
        "id", "account_id", "state", "source", "procedure", "delivery", "rule", "reason", "amount", "currency", "invoice_ids", "agent",
        "resumes", "requested_at",
    ),
)  # fmt: skip


def order_cut(changes: Changes, facts: Facts, *, agent: str, resumes: UUID | None = None, reason: str | None = None) -> UUID:
    """Order the cut for what is overdue; answers the suspension's id. It is the request, not the cut: ticketing opens the procedure of
    this policy and delivery."""
    event = _cut_to_order(facts, changes.terms(facts.policy), agent, reason, changes.now)
    changes.add(
        CUT,
        event.suspension_id,
        facts.account_id,
        SuspensionState.REQUESTED,
        Source.SYSTEM if resumes is not None else _source(agent),
        event.procedure,
        event.delivery,
        event.rule,
        event.reason,
        event.amount,
        event.currency,
        event.invoice_ids,
        agent,
        resumes,
        changes.now,
    )
    changes.tell(facts.account_id, event)
    return event.suspension_id


def _cut_to_order(facts: Facts, terms: Terms, agent: str, reason: str | None, now: datetime) -> SuspensionRequested:
    """The cut of all that is overdue, as the policy wants it."""
    suspension, debts, delivery = terms.policy.suspension, overdue(facts, now), delivery_to_cut(facts, now)
    why = cut_reason(facts, terms, now)
    return SuspensionRequested(
        suspension_id=new_id(),
        customer_id=facts.account_id,
        procedure=getattr(suspension.procedure, delivery),
        delivery=delivery,
        rule=terms.policy.rules["day"],
        reason=f"{why} {reason}" if reason else why,
        amount=owed(debts, now),
        currency=facts.currency,
        invoice_ids=[each.id for each in debts],
        release_on=suspension.reported_payment_counts,
        agent=agent,
        requested_at=now,
        except_services=held_services(facts, now),
    )


WITHDRAW = """
UPDATE suspension SET state = 'WITHDRAWN', withdrawn_at = $2, withdraw_cause = $3, withdraw_reason = $4, known_at = $2
WHERE id = $1 AND state = 'REQUESTED'
"""


async def withdraw_cut(session: AsyncSession, changes: Changes, facts: Facts, cut: Cut, cause: WithdrawCause) -> None:
    """Take back an order that is not carried out yet; ticketing answers whether that came in time."""
    reason = _withdraw_words(changes, facts, cause)
    await execute(session, WITHDRAW, cut.id, changes.now, cause.value, reason)
    event = SuspensionWithdrawn(suspension_id=cut.id, customer_id=facts.account_id, reason=reason, withdrawn_at=changes.now)
    changes.tell(facts.account_id, event)


def _withdraw_words(changes: Changes, facts: Facts, cause: WithdrawCause) -> str:
    if cause is WithdrawCause.OUTAGE:
        nodes = wording.listed(sorted({each.access_node for each in facts.outages}))
        return f"Avería declarada en el nodo {nodes}: la suspensión espera a que se cierre."
    if cause is WithdrawCause.AGREEMENT:
        return "Se llegó a un acuerdo con el cliente antes de suspender."
    if cause is WithdrawCause.HOLD:
        return " ".join(told_hold(each, changes.terms(facts.policy)) for each in running_holds(facts, changes.now))
    return "Ya no hay ninguna factura por la que suspender."


RECONNECT = """
UPDATE suspension s SET state = 'RECONNECTING', reconnection_id = t.made, reconnection_requested_at = t.at, reconnection_by = t.agent,
    basis = t.basis, target_status = t.target, rests_on = t.rests_on::uuid[], known_at = t.at
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS t(id, made, at, agent, basis, target, rests_on) WHERE s.id = t.id
"""


def order_reconnection(changes: Changes, facts: Facts, cut: Cut, *, basis: str, agent: str) -> UUID:
    """Have the service switched on again (VIP-20); the policy says in which status the customer is then. Answers the reconnection's id."""
    terms, now = changes.terms(facts.policy), changes.now
    reconnection, made = terms.policy.reconnection, new_id()
    target = reconnection.target_status[basis]  # type: ignore[index]
    rests_on = reported_between(facts, cut.requested_at, now, now) if basis == "payment" else []
    delivery = cut.delivery if cut.source != Source.IMPORT else facts.delivery
    changes.insert(RECONNECT, cut.id, made, now, agent, basis, target, id_array(each.id for each in rests_on))
    event = ReconnectionRequested(
        reconnection_id=made,
        suspension_id=cut.id,
        customer_id=facts.account_id,
        procedure=getattr(reconnection.procedure, delivery),
        delivery=delivery,
        basis=basis,
        target_status=target,
        rule=terms.policy.rules["reconnection"],
        agent=agent,
        requested_at=now,
    )
    changes.tell(facts.account_id, event)
    fee = reconnection_fee(cut, facts, terms)
    if fee is not None:
        charge_fee(changes, facts, fee)
    return made


FEE = Rows(models.Fee, ("id", "account_id", "occasion", "kind", "invoice_id", "amount", "currency", "rule", "reason", "due_at"))


def charge_fee(changes: Changes, facts: Facts, fee: ChargeFee) -> None:
    """Have billing issue the invoice for a fee of the policy."""
    event = FeeDue(
        fee_id=new_id(),
        customer_id=facts.account_id,
        invoice_id=fee.invoice_id,
        kind=fee.kind.value,
        amount=fee.amount,
        currency=facts.currency,
        rule=fee.rule,
        reason=fee.reason,
        due_at=changes.now,
    )
    kept = (
        event.fee_id,
        facts.account_id,
        fee.occasion,
        fee.kind,
        fee.invoice_id,
        fee.amount,
        facts.currency,
        fee.rule,
        fee.reason,
        changes.now,
    )
    changes.add(FEE, *kept)
    changes.tell(facts.account_id, event)


DISPATCHED = """
UPDATE invoice SET dispatched_at = coalesce(dispatched_at, $2), dispatched_by = coalesce(dispatched_by, $3), known_at = $2
WHERE id = ANY($1::uuid[])
"""


async def dispatch(session: AsyncSession, changes: Changes, facts: Facts, invoice: Invoice, *, by: str) -> None:
    """Have the month's invoice sent to the customer (VIP-5). The first sending is the one that counts."""
    await execute(session, DISPATCHED, [invoice.id], changes.now, by)
    tell_dispatch(changes, facts, invoice, by=by)


def dispatch_many(changes: Changes, invoices: list[tuple[Facts, Invoice]]) -> None:
    """Have many invoices sent by the system."""
    changes.parts.append(Sql(DISPATCHED, [(invoice.id,) for _, invoice in invoices], [changes.now, SYSTEM]))
    for facts, invoice in invoices:
        tell_dispatch(changes, facts, invoice, by=SYSTEM)


def tell_dispatch(changes: Changes, facts: Facts, invoice: Invoice, *, by: str) -> None:
    """Tell that an invoice goes to the customer now."""
    event = InvoiceDispatchRequested(
        customer_id=facts.account_id, invoice_id=invoice.id, number=invoice.number, requested_by=by, requested_at=changes.now
    )
    changes.tell(facts.account_id, event)


REMINDER = Rows(models.Reminder, ("invoice_id", "code", "account_id", "requested_at"))


def remind(changes: Changes, facts: Facts, reminder: Reminder, invoice: Invoice) -> None:
    """Remind the customer of an invoice."""
    changes.add(REMINDER, invoice.id, reminder.code, facts.account_id, changes.now)
    event = ReminderRequested(
        customer_id=facts.account_id,
        reminder=reminder.code,
        amount=believed_open(invoice, changes.now),
        currency=facts.currency,
        due_date=invoice.due_date,
        requested_at=changes.now,
    )
    changes.tell(facts.account_id, event)


def _source(by: str) -> Source:
    return Source.SYSTEM if by == SYSTEM else Source.PERSON
