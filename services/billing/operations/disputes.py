"""Disputes: a customer does not agree with part of an invoice. That amount is left alone until somebody decides."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import Dispute
from services.billing.operations.credit_notes import Credited, left_of, lock_invoice, take_back
from services.billing.operations.ledgers import store_ledgers
from services.billing.rules.crediting import divide
from services.billing.rules.states import DisputeState
from shared.db import lock
from shared.errors import Conflict, NotFound, Refused
from shared.events.billing import DisputeOpened, DisputeResolved
from shared.operator import Operator, words
from shared.outbox import Outgoing

RULE = "FACT-4"


async def open_dispute(
    session: AsyncSession, *, invoice_id: UUID, amount: Decimal, reason: str, by: str, operator: Operator, now: datetime
) -> Dispute:
    """Keep that the customer does not agree with so much of an invoice, paid or not.

    Raises NotFound, and Refused for a voided invoice and for more than is left of it outside of other disputes.
    """
    ledger, invoice = await lock_invoice(session, invoice_id, operator)
    most = ledger.creditable(invoice) - invoice.disputed
    if amount > most:
        raise Refused(
            RULE,
            f"De la factura {invoice.number} se pueden disputar a lo sumo {words.money(operator, most, ledger.currency)}.",
            remedy="Dispute menos, o consulte las disputas y notas de crédito que ya tiene.",
        )
    dispute = Dispute(
        customer_id=ledger.customer_id,
        invoice_id=invoice_id,
        amount=amount,
        currency=ledger.currency,
        reason=reason,
        opened_at=now,
        opened_by=by,
    )
    session.add(dispute)
    invoice.disputed += amount
    event = DisputeOpened(dispute_id=dispute.id, **dispute.model_dump(include=set(DisputeOpened.model_fields)))
    await store_ledgers(session, [ledger], told=[Outgoing(event, f"dispute/{dispute.id}", 1)], now=now)
    return dispute


async def resolve_dispute(
    session: AsyncSession, *, dispute_id: UUID, accepted: bool, resolution: str, by: str, operator: Operator, now: datetime
) -> Dispute:
    """Decide a dispute: accepted, a credit note takes the amount back; rejected, it is owed. Raises NotFound, Conflict when decided before,
    and Refused when no fiscal series suffices."""
    found = await session.get(Dispute, dispute_id)
    if found is None:
        raise NotFound(f"No existe la disputa {dispute_id}.")
    ledger, invoice = await lock_invoice(session, found.invoice_id, operator)
    dispute = await lock(session, Dispute, dispute_id)
    if dispute.state != DisputeState.OPEN:
        what = "aceptada" if dispute.state == DisputeState.ACCEPTED else "rechazada"
        raise Conflict("La disputa ya está resuelta.", remedy=f"Fue {what} por {dispute.resolved_by}.")
    invoice.disputed -= dispute.amount
    dispute.state = DisputeState.ACCEPTED if accepted else DisputeState.REJECTED
    dispute.resolved_at, dispute.resolved_by, dispute.resolution = now, by, resolution
    dispute.version += 1
    credited: Credited | None = None
    if accepted:
        parts = divide(dispute.amount, await left_of(session, invoice.id), operator.money_digits)
        credited = await take_back(session, ledger, invoice, parts, reason=dispute.reason, by=by, operator=operator, now=now)
        dispute.credit_note_id = credited.note.id
    resolved = Outgoing(_resolved(dispute), f"dispute/{dispute.id}", dispute.version)
    told = [credited.told, resolved, *credited.follows] if credited else [resolved]
    await store_ledgers(session, [ledger], told=told, now=now)
    return dispute


def _resolved(dispute: Dispute) -> DisputeResolved:
    assert dispute.resolved_at is not None
    assert dispute.resolved_by is not None
    return DisputeResolved(
        dispute_id=dispute.id,
        customer_id=dispute.customer_id,
        invoice_id=dispute.invoice_id,
        outcome="accepted" if dispute.state == DisputeState.ACCEPTED else "rejected",
        amount=dispute.amount,
        currency=dispute.currency,
        resolved_by=dispute.resolved_by,
        resolved_at=dispute.resolved_at,
    )
