"""Credit notes: part of an invoice taken back, with a number of a fiscal series of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import CreditNote, CreditNoteLine
from services.billing.operations.fiscal import sync_series, take_block
from services.billing.operations.ledgers import drop_parts, lock_touched, store_ledgers
from services.billing.operations.payments import told_refills
from services.billing.rules.crediting import Part, divide
from services.billing.rules.fiscal import fiscal_number
from services.billing.rules.ledger import InvoiceAccount, Ledger
from services.billing.rules.states import InvoiceState
from shared.calendar import BusinessCalendar
from shared.db import rows
from shared.errors import NotFound, Refused
from shared.events.billing import CreditNoteIssued, FreedPart
from shared.operator import Operator, words
from shared.outbox import Outgoing

RULE = "FACT-3"
# What is left of an invoice's lines, by service and tax; one that came without lines is one part without tax.
LEFT = """
SELECT service_id, max(description) FILTER (WHERE NOT back) AS description, tax_code, tax_rate,
    sum(CASE WHEN back THEN -base ELSE base END) AS base, sum(CASE WHEN back THEN -tax ELSE tax END) AS tax
FROM (
    SELECT service_id, description, tax_code, tax_rate, base, tax, false AS back FROM invoice_line WHERE invoice_id = $1
    UNION ALL SELECT NULL, number, '', 0, base, tax, false FROM invoice i
    WHERE id = $1 AND NOT EXISTS (SELECT FROM invoice_line WHERE invoice_id = i.id)
    UNION ALL SELECT l.service_id, NULL, l.tax_code, l.tax_rate, l.base, l.tax, true
    FROM credit_note n JOIN credit_note_line l ON l.credit_note_id = n.id WHERE n.invoice_id = $1
) AS t GROUP BY service_id, tax_code, tax_rate ORDER BY min(description), tax_code, service_id
"""


@dataclass(frozen=True)
class Credited:
    """A note with what is to be told of it, in order: the note itself, and what became of the money that it freed."""

    note: CreditNote
    told: Outgoing
    follows: list[Outgoing]


async def lock_invoice(session: AsyncSession, invoice_id: UUID, operator: Operator) -> tuple[Ledger, InvoiceAccount]:
    """The ledger of an invoice's customer with all that a note may touch. Raises NotFound, Refused for a voided one."""
    found = await rows(session, "SELECT customer_id FROM invoice WHERE id = $1", invoice_id)
    if not found:
        raise NotFound(f"No existe la factura {invoice_id}.")
    customer_id: UUID = found[0].customer_id
    ledger = (await lock_touched(session, [customer_id], invoice_id=invoice_id, order=operator.payment_order))[customer_id]
    invoice = ledger.invoices[invoice_id]
    if invoice.state is InvoiceState.VOIDED:
        raise Refused(RULE, f"La factura {invoice.number} está anulada.", remedy="No hay nada que acreditar.")
    return ledger, invoice


async def issue_credit_note(
    session: AsyncSession, *, invoice_id: UUID, amount: Decimal | None, reason: str, by: str, operator: Operator, now: datetime
) -> CreditNote:
    """Take back `amount` of an invoice (with tax; None: all that is left of it). What payments had covered of it becomes credit.

    Raises NotFound, and Refused for a voided invoice, for more than is left outside of disputes, and when no fiscal series suffices.
    """
    ledger, invoice = await lock_invoice(session, invoice_id, operator)
    most = ledger.creditable(invoice) - invoice.disputed
    wanted = most if amount is None else amount
    if not 0 < wanted <= most:
        raise Refused(
            RULE,
            f"De la factura {invoice.number} se pueden acreditar a lo sumo {words.money(operator, most, ledger.currency)}.",
            remedy="Acredite menos; lo que está en disputa se acredita al aceptarla." if invoice.disputed else "Acredite menos.",
        )
    parts = divide(wanted, await left_of(session, invoice_id), operator.money_digits)
    return await _take_back_now(session, ledger, invoice, parts, reason=reason, by=by, operator=operator, now=now)


async def credit_parts(
    session: AsyncSession, *, invoice_id: UUID, parts: Sequence[Part], reason: str, by: str, operator: Operator, now: datetime
) -> CreditNote:
    """Take back these parts of an invoice, which has them left. Raises Refused while what they come to is in dispute."""
    ledger, invoice = await lock_invoice(session, invoice_id, operator)
    if sum((each.total for each in parts), Decimal(0)) > ledger.creditable(invoice) - invoice.disputed:
        raise Refused(
            RULE,
            f"De la factura {invoice.number} está en disputa {words.money(operator, invoice.disputed, ledger.currency)}.",
            remedy="Resuelva primero la disputa.",
        )
    return await _take_back_now(session, ledger, invoice, parts, reason=reason, by=by, operator=operator, now=now)


async def left_of(session: AsyncSession, invoice_id: UUID) -> list[Part]:
    """What is left of an invoice's lines after its credit notes."""
    return [
        Part(row.service_id, row.description or "", row.tax_code, row.tax_rate, row.base, row.tax)
        for row in await rows(session, LEFT, invoice_id)
    ]


async def take_back(
    session: AsyncSession,
    ledger: Ledger,
    invoice: InvoiceAccount,
    parts: Sequence[Part],
    *,
    reason: str,
    by: str,
    operator: Operator,
    now: datetime,
) -> Credited:
    """Write a note of these parts and change the ledger, which the caller stores. Raises Refused when no fiscal series suffices."""
    note = await _write(session, ledger, invoice, parts, reason=reason, by=by, operator=operator, now=now)
    freed = ledger.take_back(invoice, base=note.base, tax=note.tax, note=note.id)
    await drop_parts(session, invoice.id, [each for each in freed if not _covers(ledger, each, invoice.id)])
    refills = ledger.refill()
    event = CreditNoteIssued(
        credit_note_id=note.id,
        customer_id=ledger.customer_id,
        invoice_id=invoice.id,
        number=note.number,
        amount=note.total,
        currency=note.currency,
        reason=reason,
        issued_at=now,
        open_after=ledger.open,
        freed=[FreedPart(payment_id=payment, amount=amount) for payment, amount in freed.items()],
    )
    return Credited(note, Outgoing(event, f"credit_note/{note.id}", 1), told_refills(ledger, refills, now=now))


async def _take_back_now(session: AsyncSession, ledger: Ledger, invoice: InvoiceAccount, parts: Sequence[Part], **given: Any) -> CreditNote:
    """The same, stored and told."""
    credited = await take_back(session, ledger, invoice, parts, **given)
    await store_ledgers(session, [ledger], told=[credited.told, *credited.follows], now=given["now"])
    return credited.note


async def _write(
    session: AsyncSession,
    ledger: Ledger,
    invoice: InvoiceAccount,
    parts: Sequence[Part],
    *,
    reason: str,
    by: str,
    operator: Operator,
    now: datetime,
) -> CreditNote:
    issued = BusinessCalendar(operator).today(now)
    block = take_block(await sync_series(session, operator), count=1, issue_date=issued, document="credit_note")
    base, tax = sum((each.base for each in parts), Decimal(0)), sum((each.tax for each in parts), Decimal(0))
    note = CreditNote(
        customer_id=ledger.customer_id, invoice_id=invoice.id, fiscal_series_id=block.series.id, sequence=block.first,
        number=fiscal_number(block.series.prefix, block.series.digits, block.first), issue_date=issued, base=base, tax=tax,
        total=base + tax, currency=ledger.currency, reason=reason, issued_at=now, issued_by=by,
    )  # fmt: skip
    session.add(note)
    await session.flush()
    session.add_all(
        CreditNoteLine(credit_note_id=note.id, number=number, total=each.total, currency=note.currency, **vars(each))
        for number, each in enumerate(parts, start=1)
    )
    await session.flush()
    return note


def _covers(ledger: Ledger, payment_id: UUID, invoice_id: UUID) -> bool:
    return any(part.invoice_id == invoice_id for part in ledger.payments[payment_id].parts)
