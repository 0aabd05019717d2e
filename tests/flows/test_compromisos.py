"""«SUSPENSION DE SERVICIO A CLIENTES VIP»: the first promise, the second of 24 hours, and no third; promises around day 27."""

from tests.flows.books import vip
from tests.flows.stories import Customer, customers_of
from tests.support.house import TestHouse
from tests.support.rules import rule


@rule("VIP-11", "VIP-12")
async def test_two_promises_a_month_and_the_second_within_24_hours(courier_house: TestHouse) -> None:
    house = courier_house
    (hotel,) = await customers_of(house, vip("C-1", "Hotel Copantl"))
    await house.until("2026-03-06T09:00")
    await hotel.promises("2026-03-10T17:00")
    assert (await hotel.may_not_promise("2026-03-12T17:00"))["rule"] == "VIP-11"

    # Incumplido el primero se hace un segundo compromiso, que no debe exceder de 24 horas adicionales.
    await house.until("2026-03-10T17:01")
    assert await hotel.promise_states() == ["BROKEN"]
    assert (await hotel.may_not_promise("2026-03-11T17:01"))["rule"] == "VIP-11"
    await hotel.promises("2026-03-11T17:00")

    # No hay un tercero, y la suspensión espera a que el día 27 termine.
    await house.until("2026-03-11T17:01")
    assert await hotel.promise_states() == ["BROKEN", "BROKEN"]
    assert (await hotel.may_not_promise("2026-03-12T09:00"))["rule"] == "VIP-11"
    await hotel.does("suspension-notices", {})
    await house.until("2026-03-13T09:00")
    assert (await hotel.is_refused("suspensions"))["rule"] == "VIP-12"
    await house.until("2026-03-28T00:00")
    await hotel.does("suspensions", {})
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"


@rule("VIP-12")
async def test_no_cut_while_a_promised_date_still_runs(courier_house: TestHouse) -> None:
    house = courier_house
    last_minute, runs_on, keeps = await customers_of(
        house, vip("C-2", "Cementos del Norte"), vip("C-3", "Banco de Occidente"), vip("C-4", "Maquila San Pedro")
    )
    await house.until("2026-03-26T09:00")
    await last_minute.promises("2026-03-27T23:59")
    await runs_on.promises("2026-03-28T17:00")
    await keeps.promises("2026-03-27T12:00")
    for each in (last_minute, runs_on):
        await each.does("suspension-notices", {})

    # El día 27 paga uno de los tres; que lo reporte basta para que su compromiso esté cumplido.
    await house.until("2026-03-27T11:00")
    await keeps.reports_payment()
    await house.until("2026-03-28T00:00")
    assert [await each.promise_states() for each in (last_minute, runs_on, keeps)] == [["BROKEN"], ["RUNNING"], ["KEPT"]]
    await last_minute.does("suspensions", {})
    running = await runs_on.is_refused("suspensions")
    assert (running["rule"], "28 de marzo" in running["detail"]) == ("VIP-12", True)
    assert (await keeps.is_refused("suspensions"))["rule"] == "VIP-12"

    # Vencido el compromiso del 28, se puede.
    await house.until("2026-03-28T17:01")
    await runs_on.does("suspensions", {})
    statuses = [await each.status() for each in (last_minute, runs_on, keeps)]
    assert statuses == ["SUSPENDIDO CLIENTE VIP", "SUSPENDIDO CLIENTE VIP", "CLIENTE VIP"]


@rule("VIP-9", "VIP-12")
async def test_a_broken_plan_makes_the_customer_a_vip_again_who_may_be_cut(courier_house: TestHouse) -> None:
    house = courier_house
    breaks, keeps = await customers_of(house, vip("C-5", "Clínica Bendaña"), vip("C-6", "Universidad del Valle"))
    await house.until("2026-03-08T09:00")
    for each in (breaks, keeps):
        await each.agrees_plan(("2026-03-15T17:00", "345.00"), ("2026-03-25T17:00", "345.00"))
        assert await each.status() == "PLAN DE PAGO COBROS"
        assert (await each.is_refused("suspension-notices"))["rule"] == "VIP-9"
    await house.until("2026-03-14T10:00")
    await breaks.reports_payment("345.00", "CUOTA-1")
    await keeps.reports_payment("345.00", "CUOTA-2")
    await house.until("2026-03-25T12:00")
    assert await breaks.status() == "PLAN DE PAGO COBROS"
    await keeps.reports_payment("345.00", "CUOTA-3")

    # La segunda cuota no llegó: en el mismo instante vuelve a CLIENTE VIP.
    await house.until("2026-03-25T17:01")
    assert [await breaks.status(), await keeps.status()] == ["CLIENTE VIP", "CLIENTE VIP"]
    assert (await breaks.account())["plan"] is None or (await breaks.account())["plan"]["state"] == "BROKEN"
    await house.until("2026-03-26T09:00")
    await breaks.does("suspension-notices", {})
    await _cut_on_the_28th(breaks)
    assert (await keeps.is_refused("suspensions"))["rule"] == "VIP-12"


async def _cut_on_the_28th(customer: Customer) -> None:
    await customer.house.until("2026-03-28T08:00")
    await customer.does("suspensions", {})
    assert await customer.status() == "SUSPENDIDO CLIENTE VIP"
