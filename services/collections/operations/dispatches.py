"""Invoices on their way to the customer (VIP-5)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import ContactKind, Invoice
from services.collections.operations import contacts, orders
from services.collections.operations.assessing import settle
from services.collections.operations.commands import permitted
from services.collections.rules import wording
from services.collections.rules.debts import exists
from services.collections.rules.facts import Facts
from services.collections.rules.facts import Invoice as Fact
from shared.auth import Principal
from shared.errors import FieldError, Invalid
from shared.operator import Operator

MAIL = "correo electrónico"


async def request_dispatch(
    session: AsyncSession, *, customer_id: UUID, invoice_id: UUID, actor: Principal, operator: Operator, now: datetime
) -> Invoice:
    """Have an invoice sent to the customer; again, when it was sent before. The sending is documented as a contact (VIP-7). Raises
    NotFound, Refused before its day, and Invalid for an invoice that is not this customer's or was voided."""
    opened = await permitted(session, customer_id, "send_invoice", actor=actor, operator=operator, now=now)
    invoice = next((each for each in opened.facts.invoices if each.id == invoice_id), None)
    if invoice is None or not exists(invoice, now):
        error = FieldError(field="invoice_id", message="el cliente no tiene esta factura, o está anulada")
        raise Invalid("La factura no se puede enviar.", errors=[error], remedy="Elija una de las facturas del cliente.")
    await orders.dispatch(session, opened.changes, opened.facts, invoice, by=actor.person)
    said = _said(opened.terms.operator, opened.facts, invoice)
    kind = ContactKind.INVOICE_SENT
    contacts.note(session, opened.changes, customer_id, kind=kind, channel=MAIL, said=said, by=actor.person, invoice_id=invoice.id)
    await settle(session, opened.changes)
    return await session.get_one(Invoice, invoice_id, populate_existing=True)


def _said(operator: Operator, facts: Facts, invoice: Fact) -> str:
    amount, month = wording.money(operator, invoice.balance, facts.currency), wording.month(operator, invoice.period)
    return f"Factura de {month} por {amount}, a pagar a más tardar el {wording.day(operator, invoice.due_date)}."
