"""Money's real life in decisions: payments that bounce, credit notes, disputes, and fees."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.collections.rules.cuts import unfinished
from shared.errors import Refused
from shared.events.collections import (
    FeeDue,
    ReconnectionRequested,
    ReminderRequested,
    SuspensionNoticeRequested,
    SuspensionRequested,
    SuspensionWithdrawn,
)
from shared.operator import Operator
from shared.operator.policies import Disputes, Fees, LateFee, ReconnectionFee
from tests.collections.factories import Customer, local
from tests.collections.story import OpenDatabase, Story, story
from tests.support.rules import rule
from tests.support.service import operator

DUE = date(2026, 3, 10)
MINUTE = timedelta(minutes=1)


def home() -> Customer:
    """A residential customer: the system decides, due on the 10th, cut on the 20th at 9:00."""
    return Customer(status="ACTIVO", plan_kind="residential", agent=None)


def charging(**fees: Any) -> Operator:
    """The operator with a residential policy that charges these fees."""
    return changed("residencial", fees=Fees(**fees))


def changed(code: str, **parts: Any) -> Operator:
    """The operator with a policy that says something else."""
    policy = operator().policy(code).model_copy(update=parts)
    return operator().model_copy(update={"policies": {**operator().policies, code: policy}})


async def reconnected_by_payment(told: Story) -> Any:
    """Cut for March, paid, and on again: ACTIVO TEMPORAL PAGO. Answers the payment."""
    invoice = told.customer.invoice()
    await told.tell(invoice)
    cut = await told.cut()
    await told.until(local(28, 12))
    payment = told.customer.reported("460.00", local(28, 12), (invoice, "460.00"))
    await told.tell(payment)
    await told.reconnect("payment")
    await told.until(local(28, 13))
    await told.tell(told.customer.reconnected(cut.id, local(28, 13)))
    assert await told.status() == "temporary_active"
    return payment


@rule("VIP-9")
async def test_a_payment_that_bounces_is_owed_again_and_the_ladder_goes_on(database: OpenDatabase) -> None:
    async with story(database) as told:
        payment = await reconnected_by_payment(told)
        await told.until(local(29, 9))
        await told.tell(told.customer.confirmed(payment, local(29, 9)))
        assert await told.status() == "active"
        assert (await told.verdict("suspend")).reason == "No debe nada."
        await told.until(local(30, 9))
        await told.tell(told.customer.bounced(payment, local(30, 9)))
        facts = await told.facts()
        assert (facts.status, sum(each.balance for each in facts.invoices)) == ("active", Decimal("460.00"))
        refused = await told.verdict("suspend")
        assert refused.rule == "VIP-10", "the day has passed; the desks must be told anew"
        notice = await told.notice()
        await told.tell(told.customer.accepted(notice.id, local(30, 9)))
        await told.until(local(31, 9))
        assert (await told.suspend()).amount == Decimal("460.00")


async def test_a_payment_that_bounces_ends_the_reconnection_that_rested_on_it(database: OpenDatabase) -> None:
    """Booked to the wrong customer and taken back before it was confirmed."""
    async with story(database) as told:
        payment = await reconnected_by_payment(told)
        await told.until(local(28, 15))
        await told.tell(told.customer.bounced(payment, local(28, 14)))
        assert await told.status() == "active"
        [row] = await told.service.sql("SELECT status_since, status_rule FROM account")
        assert (row.status_since, row.status_rule) == (local(28, 14), "VIP-9")


async def test_an_invoice_that_is_heard_of_as_paid_after_its_payment_bounced_is_owed(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice = told.customer.invoice()
        payment = told.customer.reported("460.00", local(3), (invoice, "460.00"))
        await told.until(local(3))
        await told.tell(invoice, payment, told.customer.confirmed(payment, local(3)))
        await told.until(local(9))
        await told.tell(told.customer.bounced(payment, local(8)))
        await told.tell(told.customer.paid(invoice, local(3)))
        await told.until(local(28, 9))
        assert [each.rule for each in (await told.verdict("suspend")).obstacles] == ["VIP-10"]


async def test_what_is_left_of_another_payment_pays_in_the_instant_in_which_one_bounces(database: OpenDatabase) -> None:
    """Paid twice by mistake, and one of the two bounces: billing takes the other, and tells both with one instant."""
    async with story(database) as told:
        invoice = told.customer.invoice()
        first = told.customer.reported("460.00", local(3), (invoice, "460.00"))
        await told.until(local(3))
        await told.tell(invoice, first, told.customer.confirmed(first, local(3)), told.customer.paid(invoice, local(3)))
        await told.until(local(9))
        await told.tell(told.customer.bounced(first, local(9)), told.customer.paid(invoice, local(9)))
        [row] = await told.service.sql("SELECT paid_at FROM invoice")
        assert row.paid_at == local(9)


async def test_a_bounced_payment_is_heard_of_before_the_payment_itself(database: OpenDatabase) -> None:
    async with story(database) as told:
        payment = told.customer.reported("460.00", local(1, 7))
        await told.service.deliver(told.customer.bounced(payment, local(1, 8)))
        [parked] = await told.service.sql("SELECT reason FROM parked_event")
        assert parked.reason == "waiting"
        await told.service.deliver(payment, source="elsewhere")
        await told.service.inbox.release()
        [row] = await told.service.sql("SELECT reversed_at, reverse_reason FROM payment")
        assert (row.reversed_at, row.reverse_reason) == (local(1, 8), "sin fondos")


async def test_a_debt_whose_payment_bounced_waits_as_long_as_the_policy_says(database: OpenDatabase) -> None:
    """Cut at once, a customer who believed to have paid would have no hour to pay again."""
    async with story(database, customer=home()) as told:
        invoice = told.customer.invoice("25.00", due=DUE)
        payment = told.customer.reported("25.00", local(4), (invoice, "25.00"))
        await told.until(local(4))
        await told.tell(invoice, payment, told.customer.confirmed(payment, local(4)), told.customer.paid(invoice, local(4)))
        await told.until(local(25, 9))
        await told.tell(told.customer.bounced(payment, local(25, 9)))
        await told.until(local(26, 9) - MINUTE)
        assert await told.told(SuspensionRequested) == []
        await told.until(local(26, 9))
        assert len(await told.told(SuspensionRequested)) == 1


async def test_a_credit_note_lowers_what_is_owed_and_takes_back_an_order_to_cut(database: OpenDatabase) -> None:
    async with story(database, customer=home()) as told:
        invoice = told.customer.invoice("25.00", due=DUE)
        await told.tell(invoice)
        await told.until(local(9))
        await told.tell(told.customer.credited(invoice, "5.00", local(9)))
        await told.until(local(20, 9))
        [order] = await told.told(SuspensionRequested)
        assert order.amount == Decimal("20.00")
        await told.tell(told.customer.credited(invoice, "20.00", local(20, 9)))
        assert len(await told.told(SuspensionWithdrawn)) == 1
        await told.tell(told.customer.cancelled(order.suspension_id, local(20, 10), "withdrawn"))
        await told.until(local(30))
        assert len(await told.told(SuspensionRequested)) == 1


async def test_what_a_credit_note_frees_of_a_payment_pays_nothing_there(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice, next_one = told.customer.invoice(), told.customer.invoice(period="2026-04", due=date(2026, 4, 5))
        payment = told.customer.reported("460.00", local(3), (invoice, "460.00"))
        await told.until(local(3))
        await told.tell(invoice, next_one, payment)
        await told.tell(told.customer.credited(invoice, "60.00", local(3), (payment, "60.00")))
        parts = {row.invoice_id: row.amount for row in await told.service.sql("SELECT invoice_id, amount FROM payment_part")}
        assert parts == {invoice.invoice_id: Decimal("400.00")}
        await told.tell(told.customer.bounced(payment, local(3)))
        await told.until(local(28, 9))
        notice = await told.notice()
        assert (notice.amount, notice.period) == (Decimal("400.00"), "2026-03")


@rule("VIP-23")
async def test_a_dispute_stops_collection_for_its_amount_alone(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice = told.customer.invoice()
        await told.tell(invoice)
        await told.until(local(10))
        await told.tell(told.customer.disputed(invoice, "100.00", local(10)))
        assert await told.status() == "active"
        await told.until(local(26, 9))
        await told.notice()
        [asked] = await told.told(SuspensionNoticeRequested)
        assert asked.amount == Decimal("360.00")
        await told.tell(told.customer.accepted(asked.notice_id, local(26, 9)))
        await told.until(local(28, 9))
        assert (await told.suspend()).amount == Decimal("360.00")


@rule("VIP-23")
async def test_while_everything_that_is_open_is_disputed_the_customer_is_under_review(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice = told.customer.invoice()
        await told.tell(invoice)
        await told.until(local(10))
        dispute = told.customer.disputed(invoice, "460.00", local(10))
        await told.tell(dispute)
        assert await told.status() == "under_review"
        [row] = await told.service.sql("SELECT status_rule, status_reason FROM account")
        assert (row.status_rule, row.status_reason) == (
            "VIP-23",
            "El cliente disputa $460.00 de su facturación desde el martes 10 de marzo a las 00:00: No reconoce un cargo.",
        )
        await told.until(local(28, 9))
        with pytest.raises(Refused) as refused:
            await told.suspend()
        assert refused.value.rule == "VIP-9"
        assert "No debe nada más que los $460.00 que disputa" in refused.value.detail
        await told.tell(told.customer.resolved(dispute, local(28, 9)))
        assert await told.status() == "active"
        assert (await told.verdict("suspend")).rule == "VIP-10"


@rule("VIP-23")
@pytest.mark.parametrize(
    ("said", "amount", "status"),
    [
        ({"under_review": "any"}, "100.00", "under_review"),
        ({"under_review": "any", "at_least": "100.00"}, "100.00", "under_review"),
        ({"under_review": "any", "at_least": "100.01"}, "100.00", "active"),
        ({"under_review": "all", "at_least": "500.00"}, "460.00", "active"),
        ({"under_review": "never"}, "460.00", "active"),
    ],
)
async def test_the_policy_says_which_disputes_put_a_customer_under_review(
    database: OpenDatabase, said: dict[str, str], amount: str, status: str
) -> None:
    async with story(database, using=changed("vip", disputes=Disputes.model_validate(said))) as told:
        invoice = told.customer.invoice()
        await told.tell(invoice)
        await told.until(local(10))
        await told.tell(told.customer.disputed(invoice, amount, local(10)))
        assert await told.status() == status
        if status == "under_review":
            [row] = await told.service.sql("SELECT status_reason FROM account")
            assert row.status_reason.endswith("No reconoce un cargo. Además, debe $360.00.")
            await told.until(local(28, 9))
            with pytest.raises(Refused, match="solo se suspende a un cliente en CLIENTE VIP"):
                await told.suspend()


async def test_nobody_is_reminded_of_what_is_disputed(database: OpenDatabase) -> None:
    async with story(database, customer=home()) as told:
        one, other = told.customer.invoice("25.00", due=DUE), told.customer.invoice("30.00", period="2026-02", due=DUE)
        await told.tell(one, other, told.customer.disputed(one, "25.00", local(1, 6)), told.customer.disputed(other, "10.00", local(1, 6)))
        await told.until(local(8))
        assert [each.amount for each in await told.told(ReminderRequested)] == [Decimal("20.00")]


async def test_a_cut_customer_whose_whole_debt_is_disputed_is_on_again_until_that_is_resolved(database: OpenDatabase) -> None:
    async with story(database, customer=home()) as told:
        invoice = told.customer.invoice("25.00", due=DUE)
        await told.tell(invoice)
        await told.until(local(20, 9))
        [order] = await told.told(SuspensionRequested)
        await told.tell(told.customer.suspended(order.suspension_id, local(20, 9)))
        await told.until(local(21))
        dispute = told.customer.disputed(invoice, "25.00", local(21))
        await told.tell(dispute)
        [asked] = await told.told(ReconnectionRequested)
        assert (asked.basis, asked.target_status) == ("review", "under_review")
        await told.tell(told.customer.reconnected(order.suspension_id, local(21), "review", "under_review"))
        assert await told.status() == "under_review"
        await told.until(local(22))
        await told.tell(told.customer.resolved(dispute, local(22)))
        assert len(await told.told(SuspensionRequested)) == 2


async def test_a_fee_is_owed_and_is_no_reason_to_cut(database: OpenDatabase) -> None:
    async with story(database, customer=home()) as told:
        month = told.customer.invoice("25.00", due=DUE)
        fee = told.customer.invoice("5.00", due=DUE, origin="manual").model_copy(update={"fee": "late", "number": "F-cargo"})
        payment = told.customer.reported("25.00", local(1, 6), (month, "25.00"))
        await told.tell(month, fee, payment, told.customer.confirmed(payment, local(1, 6)))
        await told.until(local(25))
        assert await told.told(SuspensionRequested) == []
        assert (await told.verdict("suspend", None)).reason == "Debe solo cargos por $5.00, ningún mes: por un cargo no se suspende."
        await told.tell(told.customer.bounced(payment, local(25)))
        await told.until(local(26))
        [order] = await told.told(SuspensionRequested)
        assert (order.amount, set(order.invoice_ids)) == (Decimal("30.00"), {month.invoice_id, fee.invoice_id})


async def test_a_late_fee_is_charged_once_for_a_late_invoice(database: OpenDatabase) -> None:
    late = LateFee(days_after_due=5, percent=Decimal(10), rule="RES-5")
    async with story(database, customer=home(), using=charging(late=late)) as told:
        await told.tell(told.customer.invoice("25.50", due=DUE), told.customer.invoice("9.00", period="2026-02", due=date(2026, 2, 10)))
        await told.until(local(15, 9) - MINUTE)
        assert await told.told(FeeDue) == [], "February was late already when it came to us"
        await told.until(local(15, 9))
        [fee] = await told.told(FeeDue)
        assert (fee.kind, fee.amount, fee.rule, fee.due_at) == ("late", Decimal("2.55"), "RES-5", local(15, 9))
        assert fee.reason == "Factura F-2026-03-C-1 con 5 días de atraso: debe $25.50."
        await told.until(local(30, month=4))
        assert len(await told.told(FeeDue)) == 1


async def test_a_late_fee_of_a_month_is_charged_each_month_that_something_is_late(database: OpenDatabase) -> None:
    late = LateFee(days_after_due=5, amount=Decimal(2), once_per="month", rule="RES-5")
    async with story(database, customer=home(), using=charging(late=late)) as told:
        await told.tell(told.customer.invoice("25.00", due=DUE))
        await told.until(local(2, month=4))
        assert [each.due_at for each in await told.told(FeeDue)] == [local(15, 9), local(1, 9, month=4)]


async def test_no_late_fee_while_a_promise_runs(database: OpenDatabase) -> None:
    late = LateFee(days_after_due=1, amount=Decimal(2), rule="RES-5")
    customer = Customer(status="ACTIVO", plan_kind="residential")
    async with story(database, customer=customer, using=charging(late=late)) as told:
        await told.tell(told.customer.invoice("25.00", due=DUE))
        await told.until(local(11, 8))
        await told.promise("25.00", local(13, 12))
        await told.until(local(13, 12))
        assert await told.told(FeeDue) == []
        await told.until(local(13, 13))
        assert len(await told.told(FeeDue)) == 1, "the promise was broken"


async def test_a_reconnection_costs_its_fee_once_however_often_it_is_ordered(database: OpenDatabase) -> None:
    fees = charging(reconnection=ReconnectionFee(amount=Decimal(3), rule="RES-7"))
    async with story(database, customer=home(), using=fees) as told:
        invoice = told.customer.invoice("25.00", due=DUE)
        await told.tell(invoice)
        await told.until(local(20, 9))
        [order] = await told.told(SuspensionRequested)
        await told.tell(told.customer.suspended(order.suspension_id, local(20, 9)))
        await told.until(local(21))
        await told.tell(told.customer.reported("25.00", local(21), (invoice, "25.00")))
        [asked] = await told.told(ReconnectionRequested)
        await told.tell(told.customer.closed(asked.reconnection_id, local(21)))
        await told.until(local(22, 1))
        assert len(await told.told(ReconnectionRequested)) == 2
        [fee] = await told.told(FeeDue)
        assert (fee.kind, fee.amount, fee.rule, fee.invoice_id) == ("reconnection", Decimal(3), "RES-7", None)
        assert unfinished(await told.facts()) is not None
