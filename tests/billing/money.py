"""What people do about money in billing's tests, each in a transaction of its own at the service's business time."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.billing.adapters.price_functions import price_functions
from services.billing.models import CreditNote, Dispute, PlanChange, Refund
from services.billing.operations import corrections, credit_notes, disputes, payments, plans, refunds
from tests.billing.books import customer_id
from tests.support.service import Served

MONTH = Decimal("45.8900")  # Hogar 50 with tax
ZERO = Decimal(0)


async def confirm(billing: Served, payment_id: UUID) -> None:
    async with billing.runtime.database.transaction() as session:
        await payments.confirm_payment(session, payment_id=payment_id, by="ines.reyes", now=await billing.now())


async def reverse(billing: Served, payment_id: UUID) -> None:
    now, operator = await billing.now(), billing.runtime.operator
    async with billing.runtime.database.transaction() as session:
        given: dict[str, Any] = {"reason": "Cheque devuelto", "by": "ines.reyes", "operator": operator, "now": now}
        await corrections.reverse_payment(session, payment_id=payment_id, **given)


async def move(billing: Served, payment_id: UUID, external_id: str) -> UUID:
    now, to = await billing.now(), await customer_id(billing, external_id)
    async with billing.runtime.database.transaction() as session:
        given: dict[str, Any] = {"reason": "Era de otro", "by": "ines.reyes", "operator": billing.runtime.operator, "now": now}
        return await corrections.move_payment(session, payment_id=payment_id, to=to, **given)


async def credit(billing: Served, invoice_id: UUID, amount: str | None) -> CreditNote:
    now, wanted = await billing.now(), None if amount is None else Decimal(amount)
    async with billing.runtime.database.transaction() as session:
        given: dict[str, Any] = {"reason": "Tres días sin servicio", "by": "ines.reyes", "operator": billing.runtime.operator, "now": now}
        return await credit_notes.issue_credit_note(session, invoice_id=invoice_id, amount=wanted, **given)


async def dispute(billing: Served, invoice_id: UUID, amount: str) -> Dispute:
    now = await billing.now()
    async with billing.runtime.database.transaction() as session:
        given: dict[str, Any] = {"reason": "No tuvo servicio", "by": "ana.martinez", "operator": billing.runtime.operator, "now": now}
        return await disputes.open_dispute(session, invoice_id=invoice_id, amount=Decimal(amount), **given)


async def resolve(billing: Served, dispute_id: UUID, accepted: bool) -> Dispute:
    now = await billing.now()
    async with billing.runtime.database.transaction() as session:
        given: dict[str, Any] = {"resolution": "Visto con Ingeniería", "by": "ines.reyes", "operator": billing.runtime.operator, "now": now}
        return await disputes.resolve_dispute(session, dispute_id=dispute_id, accepted=accepted, **given)


async def refund(billing: Served, external_id: str, amount: str) -> Refund:
    now, who = await billing.now(), await customer_id(billing, external_id)
    given = refunds.NewRefund(who, Decimal(amount), "transferencia", "TRF-1", "Pagó dos veces", "ines.reyes")
    async with billing.runtime.database.transaction() as session:
        return await refunds.refund_credit(session, refund=given, operator=billing.runtime.operator, now=now)


async def service_of(billing: Served, external_id: str) -> UUID:
    """The customer's first service."""
    sql = "SELECT s.id FROM service s JOIN customer c ON c.id = s.customer_id WHERE c.external_id = $1 ORDER BY s.code LIMIT 1"
    found: UUID = (await billing.sql(sql, external_id))[0].id
    return found


async def plan(billing: Served, external_id: str, code: str, day: str, **changes: Any) -> PlanChange:
    """Change the plan of the customer's first service."""
    now, operator = await billing.now(), billing.runtime.operator
    given = {"reason": "Pedido del cliente", "by": "sofia.mejia", "service_id": await service_of(billing, external_id), **changes}
    who = await customer_id(billing, external_id)
    new = plans.NewPlan(customer_id=who, plan_code=code, effective_from=date.fromisoformat(day), **given)
    async with billing.runtime.database.transaction() as session:
        return await plans.change_plan(session, new=new, operator=operator, prices=price_functions(operator), now=now)


async def owed(billing: Served, external_id: str) -> list[tuple[str, Decimal, Decimal, str]]:
    """Month, balance, reported and state of the customer's invoices."""
    found = await billing.sql(
        "SELECT i.period, i.balance, i.reported, i.state FROM invoice i JOIN customer c ON c.id = i.customer_id "
        "WHERE c.external_id = $1 ORDER BY i.due_date, i.id",
        external_id,
    )
    return [(row.period, row.balance, row.reported, row.state) for row in found]


async def billed(billing: Served, external_id: str, period: str) -> Decimal:
    """What all documents of a month together charge the customer for its services, before tax."""
    found = await billing.sql(
        "SELECT coalesce(sum(base), 0) AS base FROM (SELECT i.customer_id, i.period, l.base FROM invoice_line l "
        "JOIN invoice i ON i.id = l.invoice_id WHERE i.state <> 'VOIDED' AND l.service_id IS NOT NULL UNION ALL "
        "SELECT i.customer_id, i.period, -l.base FROM credit_note_line l JOIN credit_note n ON n.id = l.credit_note_id "
        "JOIN invoice i ON i.id = n.invoice_id WHERE l.service_id IS NOT NULL) AS t JOIN customer c ON c.id = t.customer_id "
        "WHERE c.external_id = $1 AND t.period = $2",
        external_id,
        period,
    )
    base: Decimal = found[0].base
    return base


async def invoice_of(billing: Served, external_id: str, period: str = "2026-03") -> UUID:
    """The customer's invoice of the month's run."""
    sql = (
        "SELECT i.id FROM invoice i JOIN customer c ON c.id = i.customer_id "
        "WHERE c.external_id = $1 AND i.period = $2 AND i.origin IN ('run', 'opening')"
    )
    found: UUID = (await billing.sql(sql, external_id, period))[0].id
    return found
