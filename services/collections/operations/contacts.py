"""Every contact with a customer, written down as it happened (VIP-7)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Account, Contact, ContactKind, Invoice
from services.collections.operations.changes import Changes, lock_account
from services.collections.operations.looking import look_soon
from services.collections.rules.terms import Book
from services.collections.rules.wording import moment, who
from shared.auth import Principal
from shared.errors import Conflict, FieldError, Invalid, Refused
from shared.events.collections import ContactRecorded
from shared.operator import Operator

NO_TALK = frozenset({ContactKind.INVOICE_SENT, ContactKind.TERMS_TOLD})
ABOUT_INVOICES = frozenset({ContactKind.INVOICE_SENT, ContactKind.RECEIPT_CONFIRMED})


async def record(
    session: AsyncSession,
    *,
    customer_id: UUID,
    kind: ContactKind,
    channel: str,
    said: str,
    invoice_id: UUID | None,
    actor: Principal,
    operator: Operator,
    now: datetime,
) -> Contact:
    """Write down a contact that took place now. One about an invoice without naming it means the latest that is out; a confirmed receipt
    ends the asking for it. Raises NotFound, Invalid for another customer's invoice, Refused for the receipt of an invoice never sent."""
    changes = await lock_account(session, customer_id, book=Book(operator), now=now)
    account = await session.get_one(Account, customer_id, populate_existing=True)
    invoice = await _invoice(session, account, kind, invoice_id)
    if kind is ContactKind.INVOICE_SENT and invoice is not None:
        _mark_sent(invoice, actor, now)
    if kind is ContactKind.RECEIPT_CONFIRMED and invoice is not None:
        _confirm_receipt(operator, account, invoice, actor, now)
    if kind not in NO_TALK:
        account.last_contact_at = account.known_at = now
    await look_soon(session, [account.id], now=now)
    made = note(
        session, changes, account.id, kind=kind, channel=channel, said=said, by=actor.person, invoice_id=invoice.id if invoice else None
    )
    await changes.write(session)
    return made


def note(
    session: AsyncSession,
    changes: Changes,
    customer_id: UUID,
    *,
    kind: ContactKind,
    channel: str,
    said: str,
    by: str,
    invoice_id: UUID | None = None,
) -> Contact:
    """Add a contact of a locked account to what is being changed, and tell it."""
    made = Contact(
        customer_id=customer_id, kind=kind, channel=channel, agent=by, said=said, invoice_id=invoice_id, contacted_at=changes.now
    )
    session.add(made)
    event = ContactRecorded(
        contact_id=made.id,
        customer_id=customer_id,
        kind=kind,
        channel=channel,
        agent=by,
        said=said,
        contacted_at=changes.now,
        invoice_id=invoice_id,
    )
    changes.tell(customer_id, event)
    return made


async def _invoice(session: AsyncSession, account: Account, kind: ContactKind, invoice_id: UUID | None) -> Invoice | None:
    """The invoice that the contact was about, locked."""
    query = select(Invoice).where(Invoice.account_id == account.id).with_for_update()
    if invoice_id is not None:
        found = (await session.execute(query.where(Invoice.id == invoice_id))).scalars().first()
        if found is None:
            error = FieldError(field="invoice_id", message=f"{account.name} no tiene la factura {invoice_id}")
            raise Invalid("La factura no es de este cliente.", errors=[error], remedy="Indique una factura del cliente, o ninguna.")
        return found
    if kind not in ABOUT_INVOICES:
        return None
    latest = query.where(col(Invoice.voided_at).is_(None)).order_by(col(Invoice.period).desc(), col(Invoice.issued_at).desc()).limit(1)
    found = (await session.execute(latest)).scalars().first()
    if found is None:
        raise Conflict(f"{account.name} no tiene ninguna factura.", remedy="Registre la gestión con otro tipo, por ejemplo follow_up.")
    return found


def _mark_sent(invoice: Invoice, actor: Principal, now: datetime) -> None:
    """The agent brought the invoice by a way of its own; the first sending counts."""
    if invoice.dispatched_at is None:
        invoice.dispatched_at, invoice.dispatched_by, invoice.known_at = now, actor.person, now


def _confirm_receipt(operator: Operator, account: Account, invoice: Invoice, actor: Principal, now: datetime) -> None:
    """Note the receipt. Raises Refused while the invoice was not sent, and Conflict when somebody has confirmed it already."""
    if invoice.dispatched_at is None:
        raise Refused(
            operator.policy(account.policy).rules["receipt"],
            f"La factura {invoice.number} todavía no se ha enviado: no se puede confirmar que la recibió.",
            remedy="Envíe la factura primero (POST …/invoice-dispatches), o registre el envío como gestión invoice_sent.",
        )
    if invoice.receipt_confirmed_at is not None:
        by = who(operator, invoice.receipt_confirmed_by)
        raise Conflict(
            f"{by} ya confirmó la recepción de la factura {invoice.number} el {moment(operator, invoice.receipt_confirmed_at)}.",
            remedy="Si volvió a hablar con el cliente, regístrelo como follow_up.",
        )
    invoice.receipt_confirmed_at, invoice.receipt_confirmed_by, invoice.known_at = now, actor.person, now
