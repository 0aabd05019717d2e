"""The sixth day: which cuts go to recovery, and when (VIP-16)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.collections.rules.actions import HandToRecovery
from services.collections.rules.assessment import assess
from services.collections.rules.facts import Facts, Hold, Invoice, Part, Payment, Promise, Suspension
from services.collections.rules.prospects import prospects
from services.collections.rules.states import SuspensionState
from services.collections.rules.terms import Book, Terms
from shared.db import new_id
from shared.operator.policies import Recovery
from tests.collections.factories import local
from tests.support.rules import rule
from tests.support.service import operator

AMOUNT = Decimal("690.00")
MARCH, APRIL = (new_id(), new_id())


def invoice(month: int, *, parts: tuple[Part, ...] = ()) -> Invoice:
    book, due = Book(operator()), date(2026, month, 5)
    return Invoice(
        id={3: MARCH, 4: APRIL}.get(month) or new_id(),
        number=f"F-{month}",
        period=f"2026-{month:02}",
        origin="run",
        due_date=due,
        due_ends_at=book.calendar.end_of_day(due),
        balance=AMOUNT,
        issued_at=local(1, month=month),
        parts=parts,
    )


def cut(suspended_at: datetime, **more: Any) -> Suspension:
    asked = suspended_at - timedelta(minutes=5)
    return Suspension(new_id(), "ana.martinez", asked, SuspensionState.SUSPENDED, invoice_ids=(MARCH,), suspended_at=suspended_at, **more)


def account(*suspensions: Suspension, invoices: tuple[Invoice, ...] | None = None, **more: Any) -> Facts:
    return Facts(
        new_id(), "vip", "USD", "own", local(1), agent="ana.martinez", invoices=invoices or (invoice(3),), suspensions=suspensions, **more
    )


def terms(**recovery: Any) -> Terms:
    base = operator()
    policy = base.policy("vip")
    other = policy.model_copy(update={"recovery": Recovery(procedure="retiro_servicio_vip", **recovery)}) if recovery else policy
    return Book(base.model_copy(update={"policies": {**base.policies, "vip": other}})).terms("vip")


def handed(facts: Facts, at: datetime, by: Terms | None = None) -> bool:
    """Does the case go to recovery at this instant?"""
    found = assess(facts, by or terms(), at)
    asked = any(isinstance(each, HandToRecovery) for each in found.actions)
    assert asked == (found.standing.code == "recovery" and found.standing.since == at)
    return asked


@rule("VIP-16")
@pytest.mark.parametrize(
    ("suspended_at", "first"),
    [
        (local(28, hour=8), local(6, month=4)),
        (local(5, hour=23, month=4), local(6, month=4)),
        (local(6, hour=9, month=4), local(6, month=5)),  # nobody loses the equipment on the day of the cut
        (local(20, month=12), datetime(2027, 1, 6, 6, 0, tzinfo=UTC)),
    ],
)
def test_the_first_sixth_after_the_cut_in_a_month_that_follows_the_unpaid_one(suspended_at: datetime, first: datetime) -> None:
    facts = account(cut(suspended_at))
    before = assess(facts, terms(), first - timedelta(microseconds=1))
    assert (before.standing.code, before.next_review_at) == ("suspended", first)
    assert not any(isinstance(each, HandToRecovery) for each in before.actions)
    assert [each.at for each in prospects(facts, terms(), suspended_at) if each.rule == "VIP-16"] == [first]
    assert handed(facts, first)


@rule("VIP-16")
def test_day_and_hour_are_the_operators_and_no_policy_needs_them() -> None:
    facts = account(cut(local(28, hour=8)))
    later = terms(day_of_month=31, at="07:30")
    assert not handed(facts, local(30, hour=7, month=4), later)
    assert handed(facts, local(30, hour=8, month=4), later)  # April has no day 31: its last one
    residential = Book(operator()).terms("residencial")
    assert residential.policy.recovery is None
    assert assess(replace(facts, policy="residencial"), residential, local(6, month=5)).standing.code == "suspended"


@rule("VIP-16")
def test_who_is_being_reconnected_or_has_paid_or_agreed_is_left_alone() -> None:
    sixth = local(6, month=4)
    payment = Payment(new_id(), AMOUNT, local(4, month=4))
    paid = invoice(3, parts=(Part(payment.id, AMOUNT, payment.reported_at),))
    standing = cut(local(28, hour=8))
    assert not handed(account(standing, invoices=(paid,), payments=(payment,)), sixth)
    promise = Promise(new_id(), "2026-03", 1, AMOUNT, local(4, month=4), local(9, hour=17, month=4), "ana.martinez")
    promised = account(standing, promises=(promise,))
    assert not handed(promised, sixth)
    broken = local(9, hour=17, month=4) + timedelta(microseconds=1)
    assert assess(promised, terms(), sixth).next_review_at == broken
    assert handed(promised, broken)
    back = replace(standing, state=SuspensionState.RECONNECTING, reconnection_requested_at=local(5, month=4))
    assert not handed(account(back), sixth)
    assert not handed(account(replace(standing, reconnected_at=local(5, month=4), state=SuspensionState.RECONNECTED)), sixth)
    assert not handed(account(replace(standing, state=SuspensionState.REQUESTED, suspended_at=None)), sixth)


@rule("VIP-16")
def test_it_is_told_once_and_once_more_where_the_payment_that_ended_it_was_rejected() -> None:
    sixth, now = local(6, month=4), local(20, month=4)
    under_way = cut(local(28, hour=8), recovery_requested_at=sixth)
    found = assess(account(under_way), terms(), now)
    assert (found.standing.code, found.standing.since) == ("recovery", sixth)
    assert not found.actions
    payment = Payment(new_id(), AMOUNT, local(8, month=4))
    part = Part(payment.id, AMOUNT, payment.reported_at)
    ended = replace(under_way, recovery_ended_at=local(8, month=4))
    assert assess(account(ended, invoices=(invoice(3, parts=(part,)),), payments=(payment,)), terms(), now).standing.code == "suspended"
    rejected: dict[str, Any] = {"rejected_at": local(19, month=4)}
    again = account(ended, invoices=(invoice(3, parts=(replace(part, **rejected),)),), payments=(replace(payment, **rejected),))
    assert handed(again, now)


@rule("COB-1", "VIP-16")
def test_a_hold_keeps_the_case_from_recovery_until_it_is_over() -> None:
    hold = Hold(new_id(), None, "se revisa su contrato", "marta.zelaya", local(2, month=4), local(9, month=4))
    facts = account(cut(local(28, 10)), holds=(hold,))
    assert not handed(facts, local(8, month=4))
    assert local(9, month=4) in {assess(facts, terms(), local(8, month=4)).next_review_at}
    assert handed(facts, local(9, month=4))
    assert handed(replace(facts, holds=()), local(8, month=4))
