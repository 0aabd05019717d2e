"""«RECONEXION DE SERVICIO A CLIENTES VIP»: by payment, promise, plan or review, and what follows when the promise fails."""

from decimal import Decimal

from tests.flows.books import vip
from tests.flows.stories import SIX_DESKS, Customer, customers_of, told
from tests.support.house import TestHouse
from tests.support.rules import rule


async def cut_all(house: TestHouse, *customers: Customer) -> None:
    """The notice on the 26th and the cut on the 28th."""
    await house.until("2026-03-26T09:00")
    for each in customers:
        await each.does("suspension-notices", {})
    await house.until("2026-03-28T08:00")
    for each in customers:
        await each.does("suspensions", {})
        assert await each.status() == "SUSPENDIDO CLIENTE VIP"


@rule("VIP-20", "VIP-21", "VIP-23", "VIP-24")
async def test_what_was_negotiated_decides_the_status(courier_house: TestHouse) -> None:
    house = courier_house
    pays, promises, plans, reviews = await customers_of(
        house, vip("C-1", "Hotel Copantl"), vip("C-2", "Cementos del Norte"), vip("C-3", "Banco de Occidente"), vip("C-4", "Maquila")
    )
    await cut_all(house, pays, promises, plans, reviews)

    # Sin pago reportado ni acuerdo no hay reconexión.
    await house.until("2026-03-29T10:00")
    for basis in ("payment", "promise", "payment_plan", "review"):
        assert (await pays.is_refused("reconnections", {"basis": basis}))["rule"] == "VIP-20"

    # Reporta el pago: ACTIVO TEMPORAL PAGO. Una parte del pago no basta.
    await pays.reports_payment("600.00", "TRF-600")
    assert (await pays.is_refused("reconnections", {"basis": "payment"}))["rule"] == "VIP-20"
    await pays.reports_payment("90.00", "TRF-90")
    await pays.does("reconnections", {"basis": "payment"})

    # Llega a un compromiso: ACTIVO TEMPORAL PAGO. A un plan: PLAN DE PAGO COBROS. Se le revisa un caso: INVESTIGAR.
    await promises.promises("2026-03-31T12:00")
    await promises.does("reconnections", {"basis": "promise"})
    await plans.agrees_plan(("2026-04-15T17:00", "345.00"), ("2026-04-30T17:00", "345.00"))
    await plans.does("reconnections", {"basis": "payment_plan"})
    await reviews.does("reviews", {"reason": "Reclama el cargo de instalación."})
    await reviews.does("reconnections", {"basis": "review"})
    statuses = [await each.status() for each in (pays, promises, plans, reviews)]
    assert statuses == ["ACTIVO TEMPORAL PAGO", "ACTIVO TEMPORAL PAGO", "PLAN DE PAGO COBROS", "INVESTIGAR"]
    for each in (pays, promises, plans, reviews):
        assert sorted(one["kind"] for one in await each.tickets()) == ["RECONEXION CLIENTE VIP", "SUSPENSION CLIENTE VIP"]
    assert told(house, "RECONEXION CLIENTE VIP") == set(SIX_DESKS)
    assert len(house.mails(subject="RECONEXION CLIENTE VIP")) == 4 * 6


@rule("VIP-9", "VIP-20", "VIP-23")
async def test_a_promise_made_at_reconnection_that_fails_leads_to_the_next_cut(courier_house: TestHouse) -> None:
    house = courier_house
    (hotel,) = await customers_of(house, vip("C-5", "Hotel Copantl"))
    await cut_all(house, hotel)
    await house.until("2026-03-29T10:00")
    await hotel.promises("2026-03-30T12:00")
    await hotel.does("reconnections", {"basis": "promise"})
    assert await hotel.status() == "ACTIVO TEMPORAL PAGO"
    assert (await hotel.is_refused("suspensions"))["rule"] == "VIP-9"

    # No cumplió: vuelve a CLIENTE VIP, y con otro aviso y otras 24 horas se suspende otra vez.
    await house.until("2026-03-30T12:01")
    assert await hotel.status() == "CLIENTE VIP"
    assert (await hotel.is_refused("suspensions"))["rule"] == "VIP-10"
    await hotel.does("suspension-notices", {})
    await house.until("2026-03-31T12:01")
    await hotel.does("suspensions", {})
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"

    # Pasado un caso a revisión y reconectado, al concluirla la deuda sigue: CLIENTE VIP.
    await house.until("2026-04-01T10:00")
    await hotel.does("reviews", {"reason": "Dice que pagó en otra cuenta."})
    await hotel.does("reconnections", {"basis": "review"})
    assert await hotel.status() == "INVESTIGAR"
    await house.until("2026-04-03T10:00")
    await hotel.does("reviews/close", {"conclusion": "No hay tal pago."})
    assert await hotel.status() == "CLIENTE VIP"

    # Paga todo: en orden otra vez.
    march, april = await hotel.reports_payment(), await hotel.reports_payment(period="2026-04")
    for each in (march, april):
        await house.post(f"/billing/payments/{each['id']}/confirm", {}, "ines.reyes")
    assert await hotel.status() == "CLIENTE VIP"
    owed = (await hotel.account())["amounts"]["owed"]["amount"]
    assert Decimal(owed) == 0


@rule("VIP-23")
async def test_the_status_may_move_once_the_service_is_on(courier_house: TestHouse) -> None:
    house = courier_house
    to_review, to_plan = await customers_of(house, vip("C-6", "Clínica Bendaña"), vip("C-7", "Granja Avícola"))
    await cut_all(house, to_review, to_plan)
    await house.until("2026-03-29T10:00")
    for each in (to_review, to_plan):
        await each.promises("2026-03-31T12:00")
        await each.does("reconnections", {"basis": "promise"})
    await to_review.does("reviews", {"reason": "Reclama dos días sin servicio."})
    await to_plan.agrees_plan(("2026-04-10T17:00", "345.00"), ("2026-04-20T17:00", "345.00"))
    assert [await to_review.status(), await to_plan.status()] == ["INVESTIGAR", "PLAN DE PAGO COBROS"]
