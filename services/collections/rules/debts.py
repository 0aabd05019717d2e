"""What is owed at an instant: on each invoice, once every reported payment is believed, and once only confirmed money counts.

Nobody collects what a credit note took back or what the customer disputes. A payment that bounced counts like one that never came.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from services.collections.rules.facts import Deduction, Facts, Invoice, Part, Payment, once
from services.collections.rules.states import DeductionKind

ZERO = Decimal(0)


def exists(invoice: Invoice, at: datetime) -> bool:
    """Has the invoice been issued and not taken back?"""
    return invoice.issued_at <= at and not (invoice.voided_at is not None and invoice.voided_at <= at)


def believed_open(invoice: Invoice, at: datetime, known_at: datetime | None = None) -> Decimal:
    """What is to be collected and nobody has paid or reported as paid by `at`; never negative. `known_at` is when we look: a payment that
    was rejected by then never counted. It is `at` itself unless given."""
    if not exists(invoice, at):
        return ZERO
    seen = known_at or at
    if invoice.paid_at is not None and invoice.paid_at <= at:
        return ZERO
    opened = invoice.balance
    for part in invoice.parts:
        if part.believed_at <= at and not (part.rejected_at is not None and part.rejected_at <= seen):
            opened -= part.amount
    for deduction in invoice.deductions:
        if deducted(deduction, at):
            opened -= deduction.amount
    return max(opened, ZERO)


def confirmed_open(invoice: Invoice, at: datetime) -> Decimal:
    """What confirmed payments and credit notes leave open; a dispute settles nothing."""
    if not exists(invoice, at) or (invoice.paid_at is not None and invoice.paid_at <= at):
        return ZERO
    opened = invoice.balance
    for part in invoice.parts:
        if part.confirmed_at is not None and part.confirmed_at <= at and believed(part, at):
            opened -= part.amount
    for deduction in invoice.deductions:
        if deduction.kind == DeductionKind.CREDIT and deducted(deduction, at):
            opened -= deduction.amount
    return max(opened, ZERO)


def believed(part: Part, at: datetime) -> bool:
    """Was this part reported, and has nobody said since that the money did not come or went back?"""
    return part.believed_at <= at and not (part.rejected_at is not None and part.rejected_at <= at)


def deducted(deduction: Deduction, at: datetime) -> bool:
    """Is this amount not to be collected at this instant?"""
    return deduction.since <= at and not (deduction.until is not None and deduction.until <= at)


def disputed(invoice: Invoice, at: datetime) -> Decimal:
    """What of the invoice the customer disputes."""
    if not exists(invoice, at):
        return ZERO
    return sum((each.amount for each in invoice.deductions if each.kind == DeductionKind.DISPUTE and deducted(each, at)), ZERO)


def open_disputes(facts: Facts, at: datetime) -> list[Deduction]:
    """The disputes under way, the oldest first."""
    found = [each for invoice in facts.invoices if invoice.deductions for each in invoice.deductions]
    found = [each for each in found if each.kind == DeductionKind.DISPUTE and deducted(each, at)] if found else found
    return sorted(found, key=lambda each: (each.since, each.id)) if found else found


@once
def unpaid(facts: Facts, at: datetime) -> tuple[Invoice, ...]:
    """The invoices on which something is open that nobody has reported as paid, the oldest due first."""
    return tuple([each for each in facts.invoices if believed_open(each, at) > ZERO])


@once
def overdue(facts: Facts, at: datetime) -> tuple[Invoice, ...]:
    """The unpaid invoices whose last day in time has ended."""
    return tuple([each for each in unpaid(facts, at) if each.due_ends_at <= at])


@once
def unpaid_months(facts: Facts, at: datetime) -> tuple[Invoice, ...]:
    """The unpaid invoices that are for a month: a fee alone is never a reason to cut."""
    return tuple([each for each in unpaid(facts, at) if each.fee is None])


def owed(invoices: Iterable[Invoice], at: datetime, known_at: datetime | None = None) -> Decimal:
    """What is open on these invoices once every reported payment is believed."""
    return sum((believed_open(each, at, known_at) for each in invoices), ZERO)


def owed_unconfirmed(invoices: Iterable[Invoice], at: datetime) -> Decimal:
    """What is open on these invoices while only confirmed money counts."""
    return sum((confirmed_open(each, at) for each in invoices), ZERO)


def partly_paid(invoice: Invoice, at: datetime) -> bool:
    """Has anybody reported a payment on this invoice that was not rejected?"""
    return any(part.amount > ZERO and believed(part, at) for part in invoice.parts)


def let_off(invoice: Invoice, at: datetime) -> bool:
    """Is part of the invoice not collected, by a credit note or a dispute?"""
    return any(deducted(each, at) for each in invoice.deductions)


def bounced_at(invoice: Invoice) -> datetime | None:
    """When money that had been confirmed on this invoice last went back."""
    last = None
    for part in invoice.parts:  # asked very often, and of nearly every invoice there is nothing to find
        if part.rejected_at is not None and part.confirmed_at is not None and (last is None or part.rejected_at > last):
            last = part.rejected_at
    return last


def reported_between(facts: Facts, since: datetime, until: datetime, now: datetime, known: Sequence[UUID] = ()) -> list[Payment]:
    """The payments reported from `since` to `until`, both included, that were not rejected by now; `known` ones do not count."""
    last = min(until, now)
    return [
        each
        for each in facts.payments
        if since <= each.reported_at <= last and not (each.rejected_at is not None and each.rejected_at <= now) and each.id not in known
    ]
