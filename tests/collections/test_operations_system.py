"""Where the policy lets the system decide: invoices, reminders, cuts and reconnections without a person."""

from datetime import date, timedelta

from services.collections.rules.prospects import prospects
from services.collections.rules.terms import Book
from shared.events.billing import InvoiceVoided
from shared.events.collections import (
    InvoiceDispatchRequested,
    ReconnectionRequested,
    ReminderRequested,
    SegmentChanged,
    StatusChanged,
    SuspensionRequested,
    SuspensionWithdrawn,
)
from tests.collections.factories import Customer, local
from tests.collections.story import OpenDatabase, story
from tests.support.rules import rule
from tests.support.service import operator

DUE = date(2026, 3, 10)


def home() -> Customer:
    return Customer(status="ACTIVO", plan_kind="residential", agent=None)


@rule("RES-3", "RES-4")
async def test_the_system_sends_the_invoice_and_reminds_before_the_due_day(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice = told.customer.invoice("25.00", due=DUE)
        await told.tell(invoice)
        assert [each.invoice_id for each in await told.told(InvoiceDispatchRequested)] == [invoice.invoice_id]
        await told.until(local(7, 8, 59))
        assert await told.told(ReminderRequested) == []
        await told.until(local(7, 9))
        [reminder] = await told.told(ReminderRequested)
        assert (reminder.reminder, reminder.amount, reminder.requested_at) == ("antes_de_vencer", 25, local(7, 9))
        await told.until(local(9))
        assert len(await told.told(ReminderRequested)) == 1 and len(await told.told(InvoiceDispatchRequested)) == 1


@rule("RES-5", "RES-7")
async def test_cut_by_itself_and_reconnected_by_itself(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice = told.customer.invoice("25.00", due=DUE)
        await told.tell(invoice)
        await told.until(local(20, 8, 59))
        assert await told.told(SuspensionRequested) == []
        await told.until(local(20, 9))
        [order] = await told.told(SuspensionRequested)
        assert (order.agent, order.procedure, order.requested_at) == ("sistema", "suspension_residencial", local(20, 9))
        await told.tell(told.customer.suspended(order.suspension_id, local(20, 9)))
        assert await told.status() == "suspended"
        await told.until(local(22))
        payment = told.customer.reported("25.00", local(22), (invoice, "25.00"))
        await told.tell(payment)
        [back] = await told.told(ReconnectionRequested)
        assert (back.agent, back.basis, back.suspension_id) == ("sistema", "payment", order.suspension_id)
        await told.tell(told.customer.reconnected(order.suspension_id, local(22)))
        assert await told.status() == "temporary_active"
        await told.tell(told.customer.confirmed(payment, local(22)), told.customer.paid(invoice, local(22)))
        assert [each.label for each in await told.told(StatusChanged)] == ["SUSPENDIDO POR MORA", "ACTIVO TEMPORAL PAGO", "ACTIVO"]


async def test_who_pays_is_neither_reminded_nor_cut(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice = told.customer.invoice("25.00", due=DUE)
        await told.tell(invoice, told.customer.reported("25.00", local(1), (invoice, "25.00")))
        await told.until(local(31))
        assert await told.told(ReminderRequested, SuspensionRequested) == []


async def test_a_late_book_is_not_made_up_for(database: OpenDatabase) -> None:
    """Imported on the 25th with an invoice that was due on the 10th: nothing of the past is sent, and the cut waits a day."""
    async with story(database, start=local(25, 10), customer=home()) as told:
        await told.tell(told.customer.invoice("25.00", due=DUE, origin="opening"))
        await told.until(local(26, 9, 59))
        assert await told.told(InvoiceDispatchRequested, ReminderRequested, SuspensionRequested) == []
        await told.until(local(26, 10))
        assert len(await told.told(SuspensionRequested)) == 1


async def test_one_long_jump_or_many_small_ones(database: OpenDatabase) -> None:
    outcomes = []
    for step in (timedelta(days=40), timedelta(hours=7)):
        async with story(database, start=local(1), customer=home()) as told:
            await told.tell(told.customer.invoice("25.00", due=DUE))
            at = local(1)
            while at < local(1) + timedelta(days=40):
                at += step
                await told.until(at)
            told_of = await told.service.published()
            outcomes.append([(each.type, getattr(each.event, "requested_at", None)) for each in told_of])
    assert outcomes[0] == outcomes[1] and len(outcomes[0]) == 6


async def test_the_state_in_which_customers_come_to_us(database: OpenDatabase) -> None:
    seen = {}
    for status in (
        "SUSPENDIDO CLIENTE VIP",
        "INVESTIGAR",
        "PLAN DE PAGO COBROS",
        "ACTIVO TEMPORAL PAGO",
        "cliente vip",
        "SUSPENDIDO POR MORA",
        "RESTRINGIDO POR FALTA DE PAGO",
    ):
        async with story(database, customer=Customer(status=status)) as told:
            await told.tell(told.customer.invoice(origin="opening", balance="100.00"))
            facts = await told.facts()
            seen[status] = (facts.policy, facts.status)
            told_of = [each.policy for each in await told.told(SegmentChanged)]
            assert told_of == (["vip"] if status in ("INVESTIGAR", "PLAN DE PAGO COBROS", "ACTIVO TEMPORAL PAGO") else [])
    assert seen == {
        "SUSPENDIDO CLIENTE VIP": ("vip", "suspended"),
        "INVESTIGAR": ("vip", "under_review"),
        "PLAN DE PAGO COBROS": ("vip", "payment_plan"),
        "ACTIVO TEMPORAL PAGO": ("vip", "temporary_active"),
        "cliente vip": ("vip", "active"),
        "SUSPENDIDO POR MORA": ("residencial", "suspended"),
        "RESTRINGIDO POR FALTA DE PAGO": ("residencial", "restricted"),
    }


async def test_who_came_suspended_is_reconnected_like_anybody(database: OpenDatabase) -> None:
    async with story(database, customer=Customer(status="SUSPENDIDO CLIENTE VIP")) as told:
        old = told.customer.invoice(period="2026-02", due=date(2026, 2, 5), origin="opening")
        await told.tell(old, told.customer.reported("460.00", local(1, 6), (old, "460.00")))
        cut = await told.reconnect("payment")
        await told.tell(told.customer.reconnected(cut.id, local(1, 6)))
        assert await told.status() == "temporary_active"


async def test_what_came_without_terms_ends_with_the_month(database: OpenDatabase) -> None:
    async with story(database, customer=Customer(status="PLAN DE PAGO COBROS")) as told:
        await told.tell(told.customer.invoice(period="2026-02", due=date(2026, 2, 5), origin="opening"))
        await told.until(local(31, 23))
        assert await told.status() == "payment_plan"
        await told.until(local(1, month=4))
        assert await told.status() == "active"


async def test_who_came_suspended_stays_so_until_something_is_paid(database: OpenDatabase) -> None:
    """The next month's invoice, not due yet, is no reason to switch anything on."""
    residential = Customer(status="SUSPENDIDO POR MORA", plan_kind="residential", agent=None)
    async with story(database, customer=residential) as told:
        march = told.customer.invoice("25.00", due=DUE)
        await told.tell(march)
        await told.until(local(5))
        assert await told.told(ReconnectionRequested) == []
        await told.tell(told.customer.reported("25.00", local(5), (march, "25.00")))
        assert len(await told.told(ReconnectionRequested)) == 1


async def test_an_order_for_an_invoice_that_was_voided_is_taken_back(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice = told.customer.invoice("25.00", due=DUE)
        await told.tell(invoice)
        await told.until(local(20, 9))
        voided = InvoiceVoided(
            invoice_id=invoice.invoice_id,
            customer_id=told.customer.id,
            number=invoice.number,
            period="2026-03",
            reason="emitida por error",
            voided_at=local(20, 9),
        )
        await told.tell(voided)
        assert len(await told.told(SuspensionWithdrawn)) == 1


async def test_what_the_network_refuses_is_tried_again_a_day_later_and_not_at_once(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice = told.customer.invoice("25.00", due=DUE)
        await told.tell(invoice)
        await told.until(local(20, 9))
        [first] = await told.told(SuspensionRequested)
        await told.tell(told.customer.cancelled(first.suspension_id, local(20, 9), "refused"))
        await told.until(local(21, 8, 59))
        assert len(await told.told(SuspensionRequested)) == 1
        await told.until(local(21, 9))
        _, second = await told.told(SuspensionRequested)
        await told.tell(told.customer.suspended(second.suspension_id, local(21, 9)))
        await told.tell(told.customer.reported("25.00", local(21, 9), (invoice, "25.00")))
        [asked] = await told.told(ReconnectionRequested)
        await told.tell(told.customer.closed(asked.reconnection_id, local(21, 9)))
        assert await told.status() == "suspended" and len(await told.told(ReconnectionRequested)) == 1
        await told.until(local(22, 9))
        assert len(await told.told(ReconnectionRequested)) == 2


async def test_cuts_that_ticketing_cancels_for_a_payment_that_we_know_was_rejected_are_not_ordered_for_ever(database: OpenDatabase) -> None:
    """Ticketing has not heard of the rejection, and may not for long: its inbox holds that customer behind a dead letter."""
    async with story(database, start=local(1), customer=home()) as told:
        await told.tell(told.customer.invoice("25.00", due=DUE))
        await told.until(local(20, 9))
        for tries in range(1, 6):
            orders = await told.told(SuspensionRequested)
            assert len(orders) == tries
            await told.tell(told.customer.cancelled(orders[-1].suspension_id, local(20, 9), "payment"))
        assert len(await told.told(SuspensionRequested)) == 5, "the fifth in a row was one too many"
        facts = await told.facts()
        [comes] = [each for each in prospects(facts, Book(operator()).terms(facts.policy), local(20, 9)) if "Tickets canceló" in each.text]
        assert comes.at == local(20, 10)
        await told.until(local(20, 9, 59))
        assert len(await told.told(SuspensionRequested)) == 5
        await told.until(local(20, 10))
        *_, sixth = await told.told(SuspensionRequested)
        await told.tell(told.customer.cancelled(sixth.suspension_id, local(20, 10), "payment"))
        await told.until(local(20, 11, 59))
        assert len(await told.told(SuspensionRequested)) == 6, "each further one doubles the wait"
        await told.until(local(20, 12))
        *_, seventh = await told.told(SuspensionRequested)
        await told.tell(told.customer.suspended(seventh.suspension_id, local(20, 12)))
        assert await told.status() == "suspended"
