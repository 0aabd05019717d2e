"""The operator's own policy for everybody else: reminded, cut on its hour without a person, reconnected by the payment itself."""

from decimal import Decimal

from tests.flows.books import residential
from tests.flows.stories import customers_of
from tests.support.house import TestHouse
from tests.support.rules import rule


@rule("RES-2", "RES-3", "RES-4", "RES-5", "RES-7", "RES-8")
async def test_homes_are_reminded_cut_and_reconnected_by_the_system(house: TestHouse) -> None:
    late, partly, punctual = await customers_of(
        house, residential("R-1", "Norma Oliva"), residential("R-2", "Edwin Paz"), residential("R-3", "Delmy Rosa")
    )

    # La factura sale sola en los primeros tres días; vence el día 10.
    await house.until("2026-03-03T20:00")
    assert (await late.invoice())["due_date"] == "2026-03-10"
    for code in ("r-1", "r-2", "r-3"):
        (mail,) = house.mails(to=f"{code}@correo.example")
        assert [each.get_content_type() for each in mail.iter_attachments()] == ["application/pdf"]
    await punctual.reports_payment(reference="DEP-3")

    # Tres días antes de vencer, a las 09:00, un recordatorio a quien no ha pagado.
    await house.until("2026-03-07T08:59")
    assert len(house.mails(to="r-1@correo.example")) == 1
    await house.until("2026-03-07T09:00")
    assert [len(house.mails(to=f"{code}@correo.example")) for code in ("r-1", "r-2", "r-3")] == [2, 2, 1]

    # Y otro tres días después de vencer; al quinto día, el recargo: una factura aparte, de $2.00 más impuesto.
    await house.until("2026-03-13T09:00")
    assert [len(house.mails(to=f"{code}@correo.example")) for code in ("r-1", "r-2", "r-3")] == [3, 3, 1]
    assert "venció el martes 10 de marzo" in str(house.mails(to="r-1@correo.example")[-1]["Subject"])
    await house.until("2026-03-15T08:59")
    assert await late.fees() == []
    await house.until("2026-03-15T09:00")
    assert [(each["fee"], Decimal(each["total"]["amount"])) for each in await late.fees()] == [("late", Decimal("2.30"))]
    assert await punctual.fees() == []

    # A los siete, solo la página de pago; diez días después del vencimiento, a las 09:00, el sistema suspende. Una parte del pago no basta.
    await house.until("2026-03-15T10:00")
    await partly.reports_payment("20.00", "DEP-2")
    await house.until("2026-03-20T08:59")
    limited = "RESTRINGIDO POR FALTA DE PAGO"
    assert [await each.status() for each in (late, partly, punctual)] == [limited, limited, "ACTIVO"]
    await house.until("2026-03-20T09:00")
    assert [await each.status() for each in (late, partly, punctual)] == ["SUSPENDIDO POR MORA", "SUSPENDIDO POR MORA", "ACTIVO"]
    outcomes = [(each["kind"], each["outcome"]) for each in await late.tickets()]
    assert outcomes == [("SUSPENSION POR MORA", "suspended"), ("RESTRICCION POR MORA", "restricted")]
    assert len(house.mails(to="r-1@correo.example")) == 6

    # El pago reconecta sin que nadie lo pida, a la hora que sea; el resto que faltaba, también.
    await house.until("2026-03-22T23:30")
    payment = await late.reports_payment(reference="DEP-1")
    assert await late.status() == "ACTIVO TEMPORAL PAGO"
    invoice = await partly.invoice()
    await partly.reports_payment(str(Decimal(invoice["total"]["amount"]) - 20), "DEP-2B")
    assert await partly.status() == "ACTIVO TEMPORAL PAGO"
    assert sorted(each["kind"] for each in await late.tickets()) == ["RECONEXION", "RESTRICCION POR MORA", "SUSPENSION POR MORA"]
    assert len(house.mails(to="r-1@correo.example")) == 7
    assert [each["fee"] for each in await late.fees()] == ["late", "reconnection"]
    await house.post(f"/billing/payments/{payment['id']}/confirm", {}, "ines.reyes")
    assert await late.status() == "ACTIVO"


@rule("RES-5", "RES-7")
async def test_a_payment_that_the_bank_does_not_have_lets_the_ladder_go_on(courier_house: TestHouse) -> None:
    house = courier_house
    (home,) = await customers_of(house, residential("R-4", "Wilmer Cruz"))
    await house.until("2026-03-19T10:00")
    payment = await home.reports_payment(reference="DEP-4")
    await house.until("2026-03-20T12:00")
    assert await home.status() == "ACTIVO"
    await house.post(f"/billing/payments/{payment['id']}/reject", {"reason": "El banco no lo tiene"}, "ines.reyes")
    assert await home.status() == "SUSPENDIDO POR MORA"
