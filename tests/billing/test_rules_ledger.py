"""How money moves: nothing is lost, nothing is negative, whatever the order."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.billing.rules.allocation import ZERO, OpenInvoice, spread
from services.billing.rules.ledger import InvoiceAccount, Ledger, Move, PaymentAccount
from services.billing.rules.states import Account, InvoiceState, PaymentState

NOW = datetime(2026, 3, 10, tzinfo=UTC)
MONEY = st.decimals("0.01", "5000", places=2)
ACTION = st.sampled_from(["report", "confirm", "reject", "issue", "reverse", "credit", "refund", "dispute", "agree"])


def invoice(number: int, amount: Decimal) -> InvoiceAccount:
    issued = date(2026, 1, 1) + timedelta(days=number)
    return InvoiceAccount(UUID(int=number), f"F-{number}", "2026-01", issued, issued + timedelta(days=5), amount, Decimal(0), 1)


def ledger_of(*amounts: Decimal) -> Ledger:
    found = Ledger(UUID(int=1), "USD")
    found.invoices = {each.id: each for each in (invoice(at, amount) for at, amount in enumerate(amounts, start=1))}
    return found


def payment(number: int, amount: Decimal) -> PaymentAccount:
    return PaymentAccount(UUID(int=1000 + number), "banco", f"R-{number}", amount, NOW + timedelta(minutes=number), "ana")


@given(MONEY, st.lists(MONEY, max_size=6), st.integers(0, 7))
def test_a_payment_is_divided_without_losing_a_cent(amount: Decimal, owed: list[Decimal], named: int) -> None:
    invoices = [OpenInvoice(UUID(int=n), date(2026, 1, 1 + n), date(2026, 1, 1), str(n), each) for n, each in enumerate(owed)]
    shares, left = spread(amount, invoices, first=UUID(int=named))
    assert sum((each.amount for each in shares), left) == amount
    assert all(0 < each.amount <= owed[each.invoice_id.int] for each in shares)
    assert left == max(amount - sum(owed), Decimal(0))
    assert named >= len(owed) or shares[0].invoice_id == UUID(int=named)


def test_the_named_invoice_comes_first_and_then_the_oldest_due() -> None:
    ledger = ledger_of(Decimal(100), Decimal(100), Decimal(100))
    ledger.report(payment(1, Decimal(250)), invoice=UUID(int=3))
    assert [each.reported for each in ledger.invoices.values()] == [Decimal(100), Decimal(50), Decimal(100)]


def total(moves: Iterable[Move], debit: Account | None = None, credit: Account | None = None) -> Decimal:
    """What these moves brought to an account, or took from it."""
    wanted = [each for each in moves if (debit is None or each.debit is debit) and (credit is None or each.credit is credit)]
    return sum((each.amount for each in wanted), ZERO)


def check(ledger: Ledger, issued: Decimal) -> None:
    """What holds after every step; `issued` is what was ever issued."""
    for owing in ledger.invoices.values():
        assert 0 <= owing.reported <= owing.balance
        assert 0 <= owing.disputed <= ledger.creditable(owing)
        assert (owing.balance == 0) == (owing.state is InvoiceState.PAID)
    for each in ledger.payments.values():
        parts = sum((part.amount for part in each.parts), ZERO)
        assert not each.state.counts or parts + each.unallocated + each.refunded == each.amount
        assert each.unallocated >= 0
        assert all(part.amount > 0 for part in each.parts)
        assert len({part.invoice_id for part in each.parts}) == len(each.parts)
    left = sum((each.unallocated for each in ledger.payments.values()), ZERO)
    assert left == 0 or ledger.open == 0
    moves = ledger.moves
    balances = sum((each.balance for each in ledger.invoices.values()), ZERO)
    assert balances == issued - total(moves, credit=Account.RECEIVABLE) + total(moves, debit=Account.RECEIVABLE)
    assert total(moves, credit=Account.CUSTOMER_CREDIT) - total(moves, debit=Account.CUSTOMER_CREDIT) == ledger.credit
    there = [each for each in ledger.payments.values() if each.state is PaymentState.CONFIRMED]
    cash = total(moves, debit=Account.CASH) - total(moves, credit=Account.CASH)
    assert cash == sum((each.amount - each.refunded for each in there), ZERO)
    believed = sum((each.amount - each.refunded for each in ledger.payments.values() if each.state.counts), ZERO)
    credited = sum((each.credited for each in ledger.invoices.values()), ZERO)
    assert ledger.open == max(issued - credited - believed, ZERO)


class Story:
    """A customer's ledger to which anything may happen, in any order."""

    def __init__(self) -> None:
        self.ledger, self.issued, self.step = ledger_of(), ZERO, 0

    def go_on(self, action: str, amount: Decimal, which: int) -> None:
        """One step; what cannot be done now is left out."""
        self.step += 1
        getattr(self, action)(amount, which)
        check(self.ledger, self.issued)

    def issue(self, amount: Decimal, which: int) -> None:
        self.ledger.invoices[UUID(int=self.step)] = invoice(self.step, amount)
        self.issued += amount
        self.ledger.refill()

    def report(self, amount: Decimal, which: int) -> None:
        self.ledger.report(payment(self.step, amount), invoice=UUID(int=which))

    def confirm(self, amount: Decimal, which: int) -> None:
        if (chosen := self._payment(which, PaymentState.REPORTED)) is not None:
            self.ledger.confirm(chosen, by="ines", at=NOW)

    def reject(self, amount: Decimal, which: int) -> None:
        if (chosen := self._payment(which, PaymentState.REPORTED)) is not None:
            self.ledger.reject(chosen, by="ines", at=NOW, reason="cheque devuelto")

    def reverse(self, amount: Decimal, which: int) -> None:
        """Moving one that is only reported reverses it too. What was refunded is another story: an invoice of its own."""
        chosen = self._payment(which, PaymentState.REPORTED, PaymentState.CONFIRMED)
        if chosen is not None and not chosen.refunded:
            self.ledger.reverse(chosen, by="ines", at=NOW, reason="cheque devuelto")

    def credit(self, amount: Decimal, which: int) -> None:
        chosen = self._invoice(which)
        if chosen is not None and (most := self.ledger.creditable(chosen) - chosen.disputed) > 0:
            tax = min(amount, most) / 10
            self.ledger.take_back(chosen, base=min(amount, most) - tax, tax=tax, note=UUID(int=self.step))
            self.ledger.refill()

    def dispute(self, amount: Decimal, which: int) -> None:
        chosen = self._invoice(which)
        if chosen is not None and (most := self.ledger.creditable(chosen) - chosen.disputed) > 0:
            chosen.disputed += min(amount, most)

    def agree(self, amount: Decimal, which: int) -> None:
        """The whole dispute is accepted."""
        chosen = self._invoice(which)
        if chosen is not None and chosen.disputed:
            given, chosen.disputed = chosen.disputed, ZERO
            self.ledger.take_back(chosen, base=given, tax=ZERO, note=UUID(int=self.step))
            self.ledger.refill()

    def refund(self, amount: Decimal, which: int) -> None:
        if self.ledger.credit > 0:
            self.ledger.refund(min(amount, self.ledger.credit), refund=UUID(int=self.step))

    def _payment(self, which: int, *states: PaymentState) -> PaymentAccount | None:
        found = [each for each in self.ledger.payments.values() if each.state in states]
        return found[which % len(found)] if found else None

    def _invoice(self, which: int) -> InvoiceAccount | None:
        found = list(self.ledger.invoices.values())
        return found[which % len(found)] if found else None


@settings(max_examples=400)
@given(st.lists(st.tuples(ACTION, MONEY, st.integers(0, 9)), max_size=30))
def test_after_any_story_the_ledger_adds_up(story: list[tuple[str, Decimal, int]]) -> None:
    told = Story()
    for step in story:
        told.go_on(*step)


@given(st.lists(MONEY, min_size=1, max_size=3), st.lists(MONEY, min_size=1, max_size=3))
def test_what_is_owed_in_the_end_does_not_depend_on_the_order_of_confirmations(owed: list[Decimal], paid: list[Decimal]) -> None:
    ends = set()
    for order in permutations(range(len(paid))):
        ledger = ledger_of(*owed)
        for number, amount in enumerate(paid):
            ledger.report(payment(number, amount))
        for number in order:
            ledger.confirm(ledger.payments[UUID(int=1000 + number)], by="ines", at=NOW)
        ends.add(tuple((each.balance, each.state) for each in ledger.invoices.values()))
    assert len(ends) == 1


def test_a_rejected_payment_makes_room_for_what_others_had_left_over() -> None:
    ledger = ledger_of(Decimal(100))
    first, second = payment(1, Decimal(100)), payment(2, Decimal(30))
    ledger.report(first)
    ledger.report(second)
    ledger.confirm(second, by="ines", at=NOW)
    assert (ledger.open, second.unallocated) == (Decimal(0), Decimal(30))
    refills = ledger.reject(first, by="ines", at=NOW, reason="cheque devuelto")
    assert [(each.id, [part.amount for part in parts]) for each, parts in refills] == [(second.id, [Decimal(30)])]
    assert (ledger.open, second.unallocated) == (Decimal(70), Decimal(0))
    check(ledger, Decimal(100))


def test_disputed_amounts_are_paid_last() -> None:
    ledger = ledger_of(Decimal(100), Decimal(100))
    ledger.invoices[UUID(int=1)].disputed = Decimal(60)
    ledger.report(payment(1, Decimal(120)))
    assert [each.reported for each in ledger.invoices.values()] == [Decimal(40), Decimal(80)]
    ledger.report(payment(2, Decimal(50)))
    assert [each.reported for each in ledger.invoices.values()] == [Decimal(70), Decimal(100)]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["oldest"], [100, 20, 0]),
        (["named", "oldest"], [20, 0, 100]),
        (["newest"], [0, 20, 100]),
        (["fees_first", "oldest"], [20, 100, 0]),
        (["fees_last", "newest"], [20, 0, 100]),
    ],
)
def test_the_operator_decides_the_order(order: list[str], expected: list[int]) -> None:
    ledger = ledger_of(Decimal(100), Decimal(100), Decimal(100))
    ledger.order, ledger.invoices[UUID(int=2)].fee = order, "late"
    ledger.report(payment(1, Decimal(120)), invoice=UUID(int=3))
    assert [each.reported for each in ledger.invoices.values()] == expected


def test_a_reversed_payment_opens_what_it_paid_and_others_step_in() -> None:
    ledger = ledger_of(Decimal(100))
    first, second = payment(1, Decimal(100)), payment(2, Decimal(30))
    for each in (first, second):
        ledger.report(each)
        ledger.confirm(each, by="ines", at=NOW)
    refills = ledger.reverse(first, by="ines", at=NOW, reason="cheque devuelto")
    assert [(each.id, parts[0].amount) for each, parts in refills] == [(second.id, Decimal(30))]
    assert (ledger.open, ledger.invoices[UUID(int=1)].state) == (Decimal(70), InvoiceState.OPEN)


def test_a_credit_note_on_a_paid_invoice_frees_the_latest_payment_first() -> None:
    ledger = ledger_of(Decimal(100))
    first, second = payment(1, Decimal(60)), payment(2, Decimal(40))
    for each in (first, second):
        ledger.report(each)
        ledger.confirm(each, by="ines", at=NOW)
    freed = ledger.take_back(ledger.invoices[UUID(int=1)], base=Decimal(50), tax=Decimal(0), note=UUID(int=9))
    assert freed == {second.id: Decimal(40), first.id: Decimal(10)}
    assert (ledger.credit, ledger.open, ledger.invoices[UUID(int=1)].state) == (Decimal(50), Decimal(0), InvoiceState.PAID)
