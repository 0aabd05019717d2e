"""An outage on an access node pauses the suspensions of the customers behind it, and resumes them when it is closed."""

from tests.flows.books import residential
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
