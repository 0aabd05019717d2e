"""What payments do to the invoices of one customer, in memory: the one place that knows how money moves.

Invariant: while a payment has something left over (`unallocated`), no invoice of its customer is open. So what is owed once every reported
payment is believed is just the sum of what is open.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from services.billing.rules.allocation import ZERO, OpenInvoice, Share, spread
from services.billing.rules.states import Account, InvoiceState, PaymentState


@dataclass
class InvoiceAccount:
    """An invoice as payments see it; `balance` and `reported` as in the table."""

    id: UUID
    number: str
    period: str
    issue_date: date
    due_date: date
    balance: Decimal
    reported: Decimal
    version: int
    state: InvoiceState = InvoiceState.OPEN

    @property
    def open(self) -> Decimal:
        return self.balance - self.reported if self.state is InvoiceState.OPEN else ZERO


@dataclass
class PaymentAccount:
    """A payment with the parts that went to invoices so far. `settled_*` say who confirmed or rejected it, and when."""

    id: UUID
    channel: str
    reference: str
    amount: Decimal
    reported_at: datetime
    reported_by: str
    state: PaymentState = PaymentState.REPORTED
    unallocated: Decimal = ZERO
    version: int = 0
    settled_at: datetime | None = None
    settled_by: str | None = None
    reject_reason: str | None = None
    parts: list[Share] = field(default_factory=list)


@dataclass(frozen=True)
class Move:
    """A posting to be written: `amount` from the credited to the debited account."""

    payment_id: UUID
    invoice_id: UUID | None
    debit: Account
    credit: Account
    amount: Decimal


@dataclass
class Ledger:
    """One customer's open invoices, and those of its payments that have something left over or are being worked on.
    `moves` and `paid` collect what is to be posted and told."""

    customer_id: UUID
    currency: str
    invoices: dict[UUID, InvoiceAccount] = field(default_factory=dict)
    payments: dict[UUID, PaymentAccount] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    paid: list[InvoiceAccount] = field(default_factory=list)

    @property
    def open(self) -> Decimal:
        """What is owed once every reported payment is believed."""
        return sum((each.open for each in self.invoices.values()), ZERO)

    def report(self, payment: PaymentAccount, *, invoice: UUID | None = None) -> None:
        """Believe a new payment: it goes to the named invoice first, then to the oldest; the rest waits for the next invoice."""
        self.payments[payment.id] = payment
        payment.unallocated = payment.amount
        payment.version += 1
        self._spread(payment, first=invoice)

    def confirm(self, payment: PaymentAccount, *, by: str, at: datetime) -> None:
        """The money is there."""
        payment.state, payment.settled_by, payment.settled_at = PaymentState.CONFIRMED, by, at
        payment.version += 1
        for part in payment.parts:
            self.invoices[part.invoice_id].reported -= part.amount
            self.moves.append(Move(payment.id, part.invoice_id, Account.CASH, Account.RECEIVABLE, part.amount))
        if payment.unallocated > ZERO:
            self.moves.append(Move(payment.id, None, Account.CASH, Account.CUSTOMER_CREDIT, payment.unallocated))
        for part in payment.parts:
            self._reduce(part)

    def reject(self, payment: PaymentAccount, *, by: str, at: datetime, reason: str) -> list[tuple[PaymentAccount, list[Share]]]:
        """The money never came: its parts are open again, and what other payments had left over fills them. Answer those refills."""
        payment.state, payment.settled_by, payment.settled_at = PaymentState.REJECTED, by, at
        payment.reject_reason = reason
        payment.version += 1
        payment.unallocated = ZERO
        for part in payment.parts:
            self.invoices[part.invoice_id].reported -= part.amount
        return self.refill()

    def refill(self) -> list[tuple[PaymentAccount, list[Share]]]:
        """Let what payments have left over, oldest first, go to what is open; answer each payment with its new parts."""
        waiting = [each for each in self.payments.values() if each.unallocated > ZERO and each.state is not PaymentState.REJECTED]
        refills = []
        for payment in sorted(waiting, key=lambda each: (each.reported_at, each.id)):
            shares = self._spread(payment)
            if not shares:
                continue
            payment.version += 1
            refills.append((payment, shares))
            if payment.state is PaymentState.CONFIRMED:
                self._use_credit(payment, shares)
        return refills

    def _spread(self, payment: PaymentAccount, first: UUID | None = None) -> list[Share]:
        opens = [OpenInvoice(each.id, each.due_date, each.issue_date, each.number, each.open) for each in self.invoices.values()]
        shares, payment.unallocated = spread(payment.unallocated, opens, first=first)
        for share in shares:
            self.invoices[share.invoice_id].reported += share.amount
            self._add(payment, share)
        return shares

    @staticmethod
    def _add(payment: PaymentAccount, share: Share) -> None:
        """A payment has one part per invoice."""
        before = next((each for each in payment.parts if each.invoice_id == share.invoice_id), None)
        if before is not None:
            payment.parts.remove(before)
            share = Share(share.invoice_id, before.amount + share.amount)
        payment.parts.append(share)

    def _use_credit(self, payment: PaymentAccount, shares: list[Share]) -> None:
        for share in shares:
            self.invoices[share.invoice_id].reported -= share.amount
            self.moves.append(Move(payment.id, share.invoice_id, Account.CUSTOMER_CREDIT, Account.RECEIVABLE, share.amount))
            self._reduce(share)

    def _reduce(self, part: Share) -> None:
        invoice = self.invoices[part.invoice_id]
        invoice.balance -= part.amount
        if invoice.balance == ZERO:
            invoice.state = InvoiceState.PAID
            invoice.version += 1
            self.paid.append(invoice)
