"""What payments and credit notes do to the invoices of one customer, in memory: the one place that knows how money moves.

Invariant: while a payment has something left over (`unallocated`), no invoice of its customer is open. So what is owed once every reported
payment is believed is just the sum of what is open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from services.billing.rules.allocation import OLDEST_FIRST, ZERO, OpenInvoice, Share, spread
from services.billing.rules.states import Account, InvoiceState, PaymentState


@dataclass
class InvoiceAccount:
    """An invoice as payments see it; its amounts are those of the table."""

    id: UUID
    number: str
    period: str
    issue_date: date
    due_date: date
    balance: Decimal
    reported: Decimal
    version: int
    state: InvoiceState = InvoiceState.OPEN
    credited: Decimal = ZERO
    disputed: Decimal = ZERO
    fee: str | None = None
    origin: str = "run"

    @property
    def open(self) -> Decimal:
        """What nobody has paid or reported as paid; zero unless the invoice is OPEN."""
        return self.balance - self.reported if self.state is InvoiceState.OPEN else ZERO


@dataclass
class PaymentAccount:
    """A payment with the parts that went to invoices so far; of one that counts no longer they say what was believed. `settled_*` say who
    confirmed or rejected it, and when, `reversed_*` who took it back."""

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
    refunded: Decimal = ZERO
    reversed_at: datetime | None = None
    reversed_by: str | None = None
    parts: list[Share] = field(default_factory=list)


@dataclass(frozen=True)
class Move:
    """A posting to be written: `amount` from the credited to the debited account."""

    payment_id: UUID | None
    invoice_id: UUID | None
    debit: Account
    credit: Account
    amount: Decimal
    credit_note_id: UUID | None = None
    refund_id: UUID | None = None


Refills = list[tuple[PaymentAccount, list[Share]]]


@dataclass
class Ledger:
    """One customer's open invoices, and those of its payments that have something left over or are being worked on. `order` is the
    operator's `payment_order`. `moves` and `paid` collect what is to be posted and told."""

    customer_id: UUID
    currency: str
    invoices: dict[UUID, InvoiceAccount] = field(default_factory=dict)
    payments: dict[UUID, PaymentAccount] = field(default_factory=dict)
    order: Sequence[str] = OLDEST_FIRST
    moves: list[Move] = field(default_factory=list)
    paid: list[InvoiceAccount] = field(default_factory=list)

    @property
    def open(self) -> Decimal:
        """What is owed once every reported payment is believed."""
        return sum((each.open for each in self.invoices.values()), ZERO)

    @property
    def credit(self) -> Decimal:
        """What confirmed payments have left over: the customer may have it back."""
        return sum((each.unallocated for each in self.payments.values() if each.state is PaymentState.CONFIRMED), ZERO)

    def report(self, payment: PaymentAccount, *, invoice: UUID | None = None) -> None:
        """Believe a new payment: it goes to invoices in the operator's order; the rest waits for the next invoice."""
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

    def reject(self, payment: PaymentAccount, *, by: str, at: datetime, reason: str) -> Refills:
        """The money never came: its parts are open again, and what other payments had left over fills them. Answer those refills."""
        payment.state, payment.settled_by, payment.settled_at = PaymentState.REJECTED, by, at
        payment.reject_reason = reason
        payment.version += 1
        payment.unallocated = ZERO
        for part in payment.parts:
            self.invoices[part.invoice_id].reported -= part.amount
        return self.refill()

    def reverse(self, payment: PaymentAccount, *, by: str, at: datetime, reason: str) -> Refills:
        """A payment counts no longer, confirmed or not: its parts are owed again, also of invoices that were paid, what it had left over is
        gone, and what other payments had left over steps in. Answer those refills. What was refunded of it stays refunded."""
        confirmed = payment.state is PaymentState.CONFIRMED
        payment.state, payment.reversed_by, payment.reversed_at = PaymentState.REVERSED, by, at
        payment.reject_reason = reason
        payment.version += 1
        for part in payment.parts:
            invoice = self.invoices[part.invoice_id]
            if not confirmed:
                invoice.reported -= part.amount
                continue
            invoice.balance += part.amount
            invoice.state = InvoiceState.OPEN
            self.moves.append(Move(payment.id, invoice.id, Account.RECEIVABLE, Account.CASH, part.amount))
        if confirmed and payment.unallocated > ZERO:
            self.moves.append(Move(payment.id, None, Account.CUSTOMER_CREDIT, Account.CASH, payment.unallocated))
        payment.unallocated = ZERO
        return self.refill()

    def creditable(self, invoice: InvoiceAccount) -> Decimal:
        """What a credit note may still take back of an invoice: what is owed of it and what confirmed payments brought it."""
        confirmed = [each for each in self.payments.values() if each.state is PaymentState.CONFIRMED]
        return sum((part.amount for each in confirmed for part in each.parts if part.invoice_id == invoice.id), invoice.balance)

    def take_back(self, invoice: InvoiceAccount, *, base: Decimal, tax: Decimal, note: UUID) -> dict[UUID, Decimal]:
        """Credit part of an invoice, at most what is `creditable`. Where payments cover that part it becomes theirs again, the latest one
        first; answer how much of each. `refill` lets it go to what is open."""
        freed = self._free(invoice, base + tax - invoice.open)
        revenue = Account.OPENING if invoice.origin == "opening" else Account.REVENUE
        for account, amount in ((revenue, base), (Account.TAX, tax)):
            if amount > ZERO:
                self.moves.append(Move(None, invoice.id, account, Account.RECEIVABLE, amount, credit_note_id=note))
        was_paid, invoice.credited = invoice.state is InvoiceState.PAID, invoice.credited + base + tax
        invoice.balance -= base + tax
        if invoice.balance == ZERO and not was_paid:
            self._paid(invoice)
        return freed

    def refund(self, amount: Decimal, *, refund: UUID) -> None:
        """Give back what confirmed payments have left over, oldest first; at most `credit`."""
        confirmed = [each for each in self.payments.values() if each.state is PaymentState.CONFIRMED]
        for payment in sorted(confirmed, key=lambda each: (each.reported_at, each.id)):
            part = min(amount, payment.unallocated)
            if part > ZERO:
                payment.unallocated -= part
                payment.refunded += part
                amount -= part
                self.moves.append(Move(payment.id, None, Account.CUSTOMER_CREDIT, Account.CASH, part, refund_id=refund))

    def refill(self) -> Refills:
        """Let what payments have left over, oldest first, go to what is open; answer each payment with its new parts."""
        waiting = [each for each in self.payments.values() if each.unallocated > ZERO and each.state.counts]
        refills: Refills = []
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
        opens = [
            OpenInvoice(
                each.id, each.due_date, each.issue_date, each.number, each.open, min(each.disputed, each.open), each.fee is not None
            )
            for each in self.invoices.values()
        ]
        shares, payment.unallocated = spread(payment.unallocated, opens, first=first, order=self.order)
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
            self._paid(invoice)

    def _paid(self, invoice: InvoiceAccount) -> None:
        invoice.state = InvoiceState.PAID
        invoice.version += 1
        self.paid.append(invoice)

    def _free(self, invoice: InvoiceAccount, amount: Decimal) -> dict[UUID, Decimal]:
        """Take this much of an invoice from the payments that cover it, the latest first: it is left over again, and open here."""
        freed: dict[UUID, Decimal] = {}
        covering = [(each, part) for each in self.payments.values() if each.state.counts for part in each.parts]
        for payment, part in sorted(covering, key=lambda each: (each[0].reported_at, each[0].id), reverse=True):
            if part.invoice_id != invoice.id or amount <= ZERO:
                continue
            taken = min(amount, part.amount)
            amount -= taken
            freed[payment.id] = taken
            payment.unallocated += taken
            payment.parts.remove(part)
            if part.amount > taken:
                payment.parts.append(Share(invoice.id, part.amount - taken))
            if payment.state is PaymentState.REPORTED:
                invoice.reported -= taken
            else:
                invoice.balance += taken
                self.moves.append(Move(payment.id, invoice.id, Account.RECEIVABLE, Account.CUSTOMER_CREDIT, taken))
        return freed
