"""The restriction before the cut, as collections decides it: from which hour, for whom, what lifts it, and what the cut does to it."""

from datetime import date
from typing import Any

import pytest

from services.collections.operations import holds
from shared.events.billing import InvoiceVoided
from shared.events.collections import (
    RestrictionReleaseRequested,
    RestrictionRequested,
    StatusChanged,
    SuspensionRequested,
    SuspensionWithdrawn,
)
from tests.collections.factories import MANAGER, Customer, local
from tests.collections.story import OpenDatabase, Story, story
from tests.support.rules import rule

DUE = date(2026, 3, 10)
HOUR = local(17, 9)


def home(**more: Any) -> Customer:
    return Customer(status="ACTIVO", plan_kind="residential", agent=None, **more)


async def restricted(told: Story, amount: str = "25.00") -> tuple[Any, RestrictionRequested]:
    """The month's invoice is unpaid, and the network has restricted the service at its hour."""
    invoice = told.customer.invoice(amount, due=DUE)
    await told.tell(invoice)
    await told.until(HOUR)
    [order] = await told.told(RestrictionRequested)
    await told.tell(told.customer.restricted(order.restriction_id, HOUR))
    assert await told.status() == "restricted"
    return invoice, order


@rule("RES-9")
async def test_from_its_hour_on_and_once(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        await told.tell(told.customer.invoice("25.00", due=DUE))
        await told.until(local(17, 8, 59))
        assert await told.told(RestrictionRequested) == []
        await told.until(local(19))
        [order] = await told.told(RestrictionRequested)
        assert (order.requested_at, order.procedure, order.rule, order.amount) == (HOUR, "restriccion_residencial", "RES-9", 25)
        assert await told.status() == "active", "it is the request, not the restriction"
        await told.tell(told.customer.restricted(order.restriction_id, local(19)))
        [change] = await told.told(StatusChanged)
        assert (change.code, change.label, change.rule) == ("restricted", "RESTRINGIDO POR FALTA DE PAGO", "RES-9")


@rule("RES-9")
async def test_a_payment_lifts_it_and_its_rejection_brings_it_back(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice, order = await restricted(told)
        await told.tell(told.customer.reported("10.00", HOUR, (invoice, "10.00")))
        assert await told.told(RestrictionReleaseRequested) == [], "a part is not enough"
        payment = told.customer.reported("15.00", local(18), (invoice, "15.00"))
        await told.until(local(18))
        await told.tell(payment)
        [release] = await told.told(RestrictionReleaseRequested)
        assert (release.restriction_id, release.cause, release.procedure) == (order.restriction_id, "payment", "liberacion_residencial")
        assert await told.status() == "restricted", "until the network has done it"
        await told.tell(told.customer.unrestricted(order.restriction_id, local(18)))
        assert await told.status() == "active"
        await told.tell(told.customer.rejected(payment, local(18)))
        assert len(await told.told(RestrictionRequested)) == 2


@rule("RES-9")
@pytest.mark.parametrize("how", ["credit", "dispute", "promise", "plan", "review", "hold", "void"])
async def test_whatever_takes_its_ground_away_lifts_it(database: OpenDatabase, how: str) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice, order = await restricted(told)
        cause = "nothing_owed"
        if how == "credit":
            await told.tell(told.customer.credited(invoice, "25.00", HOUR))
        elif how == "dispute":
            await told.tell(told.customer.disputed(invoice, "25.00", HOUR))
        elif how == "void":
            voided = {"invoice_id": invoice.invoice_id, "customer_id": told.customer.id, "number": invoice.number, "period": invoice.period}
            await told.tell(InvoiceVoided.model_validate({**voided, "reason": "por error", "voided_at": HOUR}))
        elif how == "hold":
            await told.do(holds.place, by=MANAGER, service_id=None, reason="visita", owner=MANAGER, until=local(18))
            cause = "hold"
        else:
            cause = "agreement"
            await {"promise": promised, "plan": planned, "review": reviewed}[how](told)
        [release] = await told.told(RestrictionReleaseRequested)
        assert (release.restriction_id, release.cause) == (order.restriction_id, cause)
        await told.tell(told.customer.unrestricted(order.restriction_id, HOUR))
        await told.check()


async def promised(told: Story) -> None:
    await told.promise("25.00", local(19))


async def planned(told: Story) -> None:
    await told.plan(("10.00", local(18)), ("15.00", local(19)))


async def reviewed(told: Story) -> None:
    await told.review()


@rule("RES-5", "RES-9")
async def test_the_cut_takes_its_place_without_a_release_before(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice, order = await restricted(told)
        await told.until(local(20, 9))
        [cut] = await told.told(SuspensionRequested)
        assert await told.told(RestrictionReleaseRequested) == []
        await told.tell(told.customer.suspended(cut.suspension_id, local(20, 9)))
        assert await told.status() == "suspended"
        await told.tell(told.customer.unrestricted(order.restriction_id, local(20, 9), "suspended"))
        await told.tell(told.customer.reported("25.00", local(20, 9), (invoice, "25.00")))
        await told.until(local(20, 10))
        await told.tell(told.customer.reconnected(cut.suspension_id, local(20, 10)))
        assert await told.status() == "temporary_active"
        assert await told.told(RestrictionReleaseRequested) == [] and len(await told.told(RestrictionRequested)) == 1


@rule("RES-9")
async def test_a_payment_between_the_order_to_cut_and_the_cut_lifts_the_restriction(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice, order = await restricted(told)
        await told.until(local(20, 9))
        [cut] = await told.told(SuspensionRequested)
        await told.tell(told.customer.reported("25.00", local(20, 9), (invoice, "25.00")))
        [release] = await told.told(RestrictionReleaseRequested)
        assert release.cause == "payment"
        await told.tell(
            told.customer.cancelled(cut.suspension_id, local(20, 9)), told.customer.unrestricted(order.restriction_id, local(20, 9))
        )
        assert await told.status() == "active" and await told.told(SuspensionWithdrawn) == []


@rule("RES-9")
async def test_what_the_network_refused_is_tried_again_the_next_day(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        await told.tell(told.customer.invoice("25.00", due=DUE))
        await told.until(HOUR)
        [order] = await told.told(RestrictionRequested)
        await told.tell(told.customer.unrestricted(order.restriction_id, HOUR, "refused"))
        await told.until(local(18, 8, 59))
        assert len(await told.told(RestrictionRequested)) == 1 and await told.status() == "active"
        await told.until(local(18, 9))
        assert len(await told.told(RestrictionRequested)) == 2


@rule("RES-9")
async def test_a_release_that_came_to_nothing_is_asked_for_again(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=home()) as told:
        invoice, _ = await restricted(told)
        await told.tell(told.customer.reported("25.00", HOUR, (invoice, "25.00")))
        [release] = await told.told(RestrictionReleaseRequested)
        await told.tell(told.customer.closed(release.release_id, HOUR))
        assert await told.status() == "restricted"
        await told.until(local(18, 9))
        assert len(await told.told(RestrictionReleaseRequested)) == 2


async def test_neither_third_parties_customers_nor_vips_nor_late_books_are_restricted(database: OpenDatabase) -> None:
    for customer, start in ((home(delivery="third_party"), local(1)), (Customer(), local(1)), (home(), local(25))):
        async with story(database, start=start, customer=customer) as told:
            await told.tell(told.customer.invoice("25.00", due=DUE, origin="opening"))
            await told.until(local(31))
            assert await told.told(RestrictionRequested) == []


@rule("RES-9")
async def test_who_came_restricted_is_released_once_nothing_is_owed(database: OpenDatabase) -> None:
    customer = Customer(status="RESTRINGIDO POR FALTA DE PAGO", plan_kind="residential", agent=None)
    async with story(database, start=local(17, 12), customer=customer) as told:
        assert await told.status() == "restricted" and await told.told(RestrictionReleaseRequested) == []
        invoice = told.customer.invoice("25.00", due=DUE, origin="opening")
        await told.tell(invoice)
        assert await told.status() == "restricted" and await told.told(RestrictionReleaseRequested) == []
        await told.tell(told.customer.reported("25.00", local(17, 12), (invoice, "25.00")))
        [release] = await told.told(RestrictionReleaseRequested)
        assert (release.cause, release.procedure) == ("payment", "liberacion_residencial")
