"""An outage on an access node pauses the suspensions of the customers behind it, and resumes them when it is closed."""

from tests.flows.books import residential, vip
from tests.flows.stories import customers_of
from tests.support.house import TestHouse
from tests.support.rules import rule


@rule("NOC-1")
async def test_nobody_behind_a_node_that_is_down_is_cut_until_it_works_again(house: TestHouse) -> None:
    behind, elsewhere = await customers_of(
        house, residential("R-1", "Norma Oliva", node="CHOLOMA-1"), residential("R-2", "Edwin Paz", node="SPS-1")
    )
    await house.until("2026-03-19T20:00")
    outage = await house.post("/noc/outages", {"access_node": "CHOLOMA-1", "description": "Fibra cortada"}, "noc.turno")
    assert outage["customers"] == 1

    # El día 20 a las 09:00 el sistema suspende a quien no pagó, menos a quien está detrás del nodo caído.
    await house.until("2026-03-20T12:00")
    assert (await behind.status(), await elsewhere.status()) == ("ACTIVO", "SUSPENDIDO POR MORA")

    # Cerrado el corte del nodo, la suspensión sigue.
    await house.post(f"/noc/outages/{outage['id']}/close", {"solution": "Empalme reparado"}, "noc.turno")
    await house.until("2026-03-21T12:00")
    assert await behind.status() == "SUSPENDIDO POR MORA"

    # El pago reconecta sin que nadie lo pida.
    await behind.reports_payment()
    assert await behind.status() == "ACTIVO TEMPORAL PAGO"


@rule("NOC-1")
async def test_a_vip_behind_the_node_is_not_cut_either(courier_house: TestHouse) -> None:
    house = courier_house
    behind, ordered = await customers_of(
        house, vip("C-1", "Hotel Copantl", node="CHOLOMA-1"), vip("C-2", "Minera Quita Sueño", node="SPS-1")
    )
    await house.until("2026-03-26T09:00")
    await behind.does("suspension-notices", {})
    outage = await house.post("/noc/outages", {"access_node": "CHOLOMA-1", "description": "Sin energía"}, "noc.turno")
    await house.until("2026-03-28T08:00")
    refused = await behind.is_refused("suspensions")
    assert (refused["rule"], "CHOLOMA-1" in refused["detail"]) == ("NOC-1", True)
    assert (await behind.why_not("suspend"))[0] == "NOC-1"
    assert await ordered.why_not("suspend") != await behind.why_not("suspend")

    # Cerrado el corte del nodo, el aviso de antes vale y el gestor suspende.
    await house.post(f"/noc/outages/{outage['id']}/close", {"solution": "Volvió la energía"}, "noc.turno")
    await behind.does("suspensions", {})
    assert await behind.status() == "SUSPENDIDO CLIENTE VIP"


@rule("NOC-1", "VIP-14")
async def test_an_order_that_waits_for_engineering_is_taken_back_and_given_again(courier_house: TestHouse) -> None:
    house = courier_house
    (mine,) = await customers_of(house, vip("C-3", "Minera Quita Sueño", delivery="third_party", node="CHOLOMA-1"))
    await mine.is_cut_after_the_notice()
    outage = await house.post("/noc/outages", {"access_node": "CHOLOMA-1", "description": "Fibra cortada"}, "noc.turno")
    (ticket,) = await mine.tickets()
    assert ticket["outcome"] == "cancelled"
    assert await mine.status() == "CLIENTE VIP"
    await house.until("2026-03-28T20:00")
    await house.post(f"/noc/outages/{outage['id']}/close", {"solution": "Empalme reparado"}, "noc.turno")
    states = sorted((each["state"], each["outcome"]) for each in await mine.tickets())
    assert states == [("closed", "cancelled"), ("open", None)]
