"""How money moves: nothing is lost, nothing is negative, whatever the order."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.billing.rules.allocation import OpenInvoice, spread
from services.billing.rules.ledger import InvoiceAccount, Ledger, PaymentAccount
from services.billing.rules.states import Account, InvoiceState, PaymentState

NOW = datetime(2026, 3, 10, tzinfo=UTC)
MONEY = st.decimals("0.01", "5000", places=2)
ACTION = st.sampled_from(["report", "confirm", "reject", "issue"])


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


def check(ledger: Ledger, owed: Decimal) -> None:
    """What holds after every step; `owed` is what was ever issued."""
    for owing in ledger.invoices.values():
        assert 0 <= owing.reported <= owing.balance
        assert (owing.balance == 0) == (owing.state is InvoiceState.PAID)
    for each in ledger.payments.values():
        parts = sum((part.amount for part in each.parts), Decimal(0))
        assert each.state is PaymentState.REJECTED or parts + each.unallocated == each.amount
        assert each.unallocated >= 0
        assert len({part.invoice_id for part in each.parts}) == len(each.parts)
    left = sum((each.unallocated for each in ledger.payments.values()), Decimal(0))
    assert left == 0 or ledger.open == 0
    paid = sum((move.amount for move in ledger.moves if move.credit is Account.RECEIVABLE), Decimal(0))
    assert sum((each.balance for each in ledger.invoices.values()), Decimal(0)) == owed - paid
    given_back = sum((move.amount for move in ledger.moves if move.debit is Account.CUSTOMER_CREDIT), Decimal(0))
    credit = sum((move.amount for move in ledger.moves if move.credit is Account.CUSTOMER_CREDIT), Decimal(0)) - given_back
    confirmed = [each.unallocated for each in ledger.payments.values() if each.state is PaymentState.CONFIRMED]
    assert credit == sum(confirmed, Decimal(0))
    believed = sum((each.amount for each in ledger.payments.values() if each.state is not PaymentState.REJECTED), Decimal(0))
    assert ledger.open == max(owed - believed, Decimal(0))


@settings(max_examples=200)
@given(st.lists(st.tuples(ACTION, MONEY, st.integers(0, 9)), max_size=25))
def test_after_any_story_the_ledger_adds_up(story: list[tuple[str, Decimal, int]]) -> None:
    ledger, owed = ledger_of(), Decimal(0)
    for step, (action, amount, which) in enumerate(story, start=1):
        waiting = [each for each in ledger.payments.values() if each.state is PaymentState.REPORTED]
        if action == "issue":
            ledger.invoices[UUID(int=step)] = invoice(step, amount)
            owed += amount
            ledger.refill()
        elif action == "report":
            ledger.report(payment(step, amount), invoice=UUID(int=which))
        elif waiting:
            chosen = waiting[which % len(waiting)]
            if action == "confirm":
                ledger.confirm(chosen, by="ines", at=NOW)
            else:
                ledger.reject(chosen, by="ines", at=NOW, reason="cheque devuelto")
        check(ledger, owed)


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
