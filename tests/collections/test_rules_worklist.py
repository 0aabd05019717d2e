"""What an agent has to do about an account, for every instant of a month, from facts alone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collections.rules.explaining import explain
from services.collections.rules.facts import Facts, Instalment, Invoice, Notice, Part, Payment, Plan, Promise, Restriction, Suspension
from services.collections.rules.states import SuspensionState
from services.collections.rules.terms import Book, Terms
from services.collections.rules.worklist import Reason, debt, tasks
from tests.collections.api_scene import local
from tests.support.rules import rule
from tests.support.service import operator

CUSTOMER, INVOICE = UUID(int=1), UUID(int=2)


def terms(policy: str = "vip") -> Terms:
    return Book(operator()).terms(policy)


def invoice(period: str = "2026-03", due: date = date(2026, 3, 5), issued: str = "2026-03-01 00:30") -> Invoice:
    return Invoice(
        id=INVOICE,
        number="F-1",
        period=period,
        origin="run",
        due_date=due,
        due_ends_at=terms().calendar.end_of_day(due),
        balance=Decimal("460.00"),
        issued_at=local(issued),
    )


def account(*invoices: Invoice, policy: str = "vip") -> Facts:
    return Facts(
        account_id=CUSTOMER,
        policy=policy,
        currency="USD",
        delivery="own",
        registered_at=local("2026-01-01 00:00"),
        agent="ana.martinez",
        name="Hotel",
        invoices=invoices,
    )


def reasons(facts: Facts, at: str) -> list[Reason]:
    return [each.reason for each in tasks(facts, terms(facts.policy), local(at))]


@rule("VIP-5")
def test_the_invoice_waits_for_its_agent_from_day_one_and_is_late_after_day_two() -> None:
    facts = account(invoice())
    assert reasons(facts, "2026-02-28 23:59") == []
    on_time = tasks(facts, terms(), local("2026-03-02 23:59"))[0]
    assert on_time.text == "Falta enviar la factura F-1 de marzo de 2026: a más tardar el lunes 2 de marzo."
    late = tasks(facts, terms(), local("2026-03-03 00:00"))[0]
    assert late.text == "Falta enviar la factura F-1 de marzo de 2026: el plazo era el lunes 2 de marzo."


@rule("VIP-6")
def test_the_receipt_is_asked_for_only_between_sending_and_confirming() -> None:
    sent = replace(invoice(), dispatched_at=local("2026-03-01 09:00"))
    assert reasons(account(sent), "2026-03-02 09:00") == [Reason.RECEIPT_NOT_CONFIRMED]
    confirmed = replace(sent, receipt_confirmed_at=local("2026-03-01 10:00"))
    assert reasons(account(confirmed), "2026-03-02 09:00") == []


@rule("VIP-10")
@pytest.mark.parametrize(
    ("period", "due", "first"),
    [
        ("2026-03", date(2026, 3, 5), "2026-03-26 00:00"),
        ("2026-02", date(2026, 2, 5), "2026-02-26 00:00"),
    ],
)
def test_the_notice_is_asked_for_on_the_last_day_that_is_early_enough(period: str, due: date, first: str) -> None:
    sent = replace(invoice(period, due, f"{period}-01 00:30"), dispatched_at=local(first), receipt_confirmed_at=local(first))
    facts = account(sent)
    before = (local(first) - timedelta(minutes=1)).astimezone(operator().zone).strftime("%Y-%m-%d %H:%M")
    assert reasons(facts, before) == [Reason.FOLLOW_UP]
    assert reasons(facts, first) == [Reason.NOTICE_TO_SEND, Reason.FOLLOW_UP]
    promised = Promise(UUID(int=3), period, 1, Decimal(460), local(f"{period}-20 09:00"), local(f"{period}-28 09:00"), "ana.martinez")
    assert reasons(replace(facts, promises=(promised,)), first) == []
    noticed = Notice(UUID(int=4), period, local(first))
    assert reasons(replace(facts, notices=(noticed,)), first) == [Reason.FOLLOW_UP]


def test_the_system_needs_no_agent_for_what_it_decides_itself() -> None:
    sent = replace(invoice(due=date(2026, 3, 10)), dispatched_at=local("2026-03-01 09:00"))
    assert reasons(account(sent, policy="residencial"), "2026-03-19 09:00") == [Reason.FOLLOW_UP]


@rule("RES-9")
def test_who_sees_only_the_payment_page_is_called_before_the_cut_unless_it_agreed_to_something() -> None:
    month = replace(invoice(due=date(2026, 3, 10)), dispatched_at=local("2026-03-01 09:00"))
    order = Restriction(UUID(int=7), local("2026-03-17 09:00"), invoice_ids=(INVOICE,), restricted_at=local("2026-03-17 09:05"))
    facts = replace(account(month, policy="residencial"), restrictions=(order,))
    assert reasons(facts, "2026-03-17 09:00") == [Reason.FOLLOW_UP], "it is ordered, not done"
    first = tasks(facts, terms("residencial"), local("2026-03-18 08:00"))[0]
    assert (first.reason, first.rule, first.action, first.since) == (Reason.RESTRICTED, "RES-9", "contact", order.restricted_at)
    assert first.text == (
        "Solo ve la página de pago desde el martes 17 de marzo a las 09:05; "
        "si no paga, se puede suspender desde el viernes 20 de marzo a las 09:00."
    )
    late = tasks(facts, terms("residencial"), local("2026-03-20 09:00"))[0]
    assert late.text.endswith("si no paga, ya se puede suspender.")
    promised = Promise(UUID(int=3), "2026-03", 1, Decimal(460), local("2026-03-18 09:00"), local("2026-03-19 09:00"), "ana.martinez")
    assert reasons(replace(facts, promises=(promised,)), "2026-03-18 10:00") == []
    released = replace(order, release_requested_at=local("2026-03-18 09:00"))
    assert reasons(replace(facts, restrictions=(released,)), "2026-03-18 10:00") == [Reason.FOLLOW_UP]
    cut = Suspension(UUID(int=8), "sistema", local("2026-03-20 09:00"), state=SuspensionState.REQUESTED)
    assert Reason.RESTRICTED not in reasons(replace(facts, suspensions=(cut,)), "2026-03-20 09:10")


def test_an_instalment_is_asked_for_on_its_day_until_it_is_reported_and_a_broken_plan_after_it() -> None:
    sent = replace(invoice(), dispatched_at=local("2026-03-01 09:00"), receipt_confirmed_at=local("2026-03-01 10:00"))
    parts = (Instalment(1, local("2026-03-12 17:00"), Decimal(200)), Instalment(2, local("2026-03-20 17:00"), Decimal(260)))
    plan = Plan(UUID(int=5), local("2026-03-10 09:00"), "ana.martinez", parts)
    facts = replace(account(sent), plans=(plan,))
    assert reasons(facts, "2026-03-11 23:59") == []
    assert reasons(facts, "2026-03-12 08:00") == [Reason.INSTALMENT_DUE]
    paid = Payment(UUID(int=6), Decimal(200), local("2026-03-12 09:00"))
    part = Part(paid.id, paid.amount, paid.reported_at)
    on_time = replace(facts, payments=(paid,), invoices=(replace(sent, parts=(part,)),))
    assert reasons(on_time, "2026-03-12 10:00") == []
    assert reasons(on_time, "2026-03-20 10:00") == [Reason.INSTALMENT_DUE]
    assert reasons(on_time, "2026-03-20 17:01") == [Reason.PLAN_BROKEN, Reason.FOLLOW_UP]


def test_days_overdue_count_from_the_day_after_the_due_day() -> None:
    facts = account(invoice())
    found = [debt(facts, terms(), local(at)).days for at in ("2026-03-05 23:59", "2026-03-06 00:00", "2026-03-07 12:00")]
    assert found == [0, 1, 2]


@given(st.datetimes(datetime(2026, 3, 1), datetime(2026, 4, 30)), st.booleans(), st.booleans())  # noqa: DTZ001 - made aware below
def test_the_worklist_and_the_explanation_never_disagree(naive: datetime, sent: bool, noticed: bool) -> None:
    now = naive.replace(tzinfo=UTC)
    month = replace(invoice(), dispatched_at=local("2026-03-01 09:00") if sent else None)
    notice = Notice(UUID(int=4), "2026-03", local("2026-03-24 09:00"), local("2026-03-24 09:05"))
    facts = replace(account(month), notices=(notice,) if noticed else ())
    todo = {each.reason for each in tasks(facts, terms(), now)}
    allowed = {each.verdict.action for each in explain(facts, terms(), now, person="ana.martinez").actions if each.verdict.allowed}
    assert (Reason.CUT_POSSIBLE in todo) == ("suspend" in allowed)
    assert Reason.INVOICE_NOT_SENT not in todo or "send_invoice" in allowed
    assert Reason.RECEIPT_NOT_CONFIRMED not in todo or "confirm_receipt" in allowed
    assert Reason.NOTICE_TO_SEND not in todo or "notice" in allowed
