"""Refunds: money that a customer has left over and that is given back to it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import Refund
from services.billing.operations.ledgers import lock_ledgers, store_ledgers
from shared.errors import NotFound, Refused
from shared.events.billing import CreditRefunded
from shared.operator import Operator, words
from shared.outbox import Outgoing

RULE = "PAGO-3"


@dataclass(frozen=True)
class NewRefund:
    """What was given back, by which channel, under which reference of the bank's."""

    customer_id: UUID
    amount: Decimal
    channel: str
    reference: str
    reason: str
    by: str


async def refund_credit(session: AsyncSession, *, refund: NewRefund, operator: Operator, now: datetime) -> Refund:
    """Record that a customer got back money that confirmed payments had left over, the oldest first.

    Raises NotFound, Refused for more than there is: money that is only reported cannot be given back.
    """
    ledger = (await lock_ledgers(session, [refund.customer_id], order=operator.payment_order)).get(refund.customer_id)
    if ledger is None:
        raise NotFound(f"No existe el cliente {refund.customer_id}.")
    if refund.amount > ledger.credit:
        raise Refused(
            RULE,
            f"El cliente tiene a favor {words.money(operator, ledger.credit, ledger.currency)} de pagos confirmados.",
            remedy="Devuelva a lo sumo ese importe; un pago solo reportado se confirma antes.",
        )
    kept = Refund(
        customer_id=refund.customer_id,
        amount=refund.amount,
        currency=ledger.currency,
        channel=refund.channel,
        reference=refund.reference,
        reason=refund.reason,
        refunded_at=now,
        refunded_by=refund.by,
    )
    session.add(kept)
    await session.flush()
    ledger.refund(refund.amount, refund=kept.id)
    event = CreditRefunded(refund_id=kept.id, **kept.model_dump(include=set(CreditRefunded.model_fields)))
    await store_ledgers(session, [ledger], told=[Outgoing(event, f"refund/{kept.id}", 1)], now=now)
    return kept
