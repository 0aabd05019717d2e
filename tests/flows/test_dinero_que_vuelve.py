"""Un pago que el banco devuelve, una disputa, y la explicación de un día que ya pasó: de facturación a la red."""

from decimal import Decimal

from tests.flows.books import vip
from tests.flows.stories import customers_of
from tests.support.house import TestHouse
from tests.support.rules import rule

CASHIER = "ines.reyes"


@rule("VIP-9", "VIP-10", "VIP-23")
async def test_a_reconnected_customer_whose_payment_bounces_is_cut_again_for_what_is_not_disputed(house: TestHouse) -> None:
    (hotel,) = await customers_of(house, vip("V-1", "Hotel Ejecutivo"))
    await hotel.is_cut_after_the_notice()
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"
    that_day, then = (await house.now()).isoformat(), await hotel.explanation()

    # Paga, se reconecta y el pago se confirma.
    await house.until("2026-03-28T12:00")
    payment = await hotel.reports_payment()
    await hotel.does("reconnections", {"basis": "payment"})
    assert await hotel.status() == "ACTIVO TEMPORAL PAGO"
    await house.post(f"/billing/payments/{payment['id']}/confirm", {}, CASHIER)
    assert await hotel.status() == "CLIENTE VIP"

    # El banco lo devuelve: se debe otra vez, y sin un aviso nuevo no se suspende.
    await house.until("2026-03-29T09:00")
    await house.post(f"/billing/payments/{payment['id']}/reverse", {"reason": "Cheque sin fondos."}, CASHIER)
    invoice = await hotel.invoice()
    whole = Decimal(invoice["total"]["amount"])
    assert Decimal((await hotel.account())["amounts"]["owed"]["amount"]) == whole
    assert (await hotel.why_not("suspend"))[0] == "VIP-10"

    # Disputa 100: lo demás se cobra; si lo disputa todo, se investiga.
    body = {"amount": {"amount": "100.00", "currency": "USD"}, "reason": "No reconoce un cargo."}
    await house.post(f"/billing/invoices/{invoice['id']}/disputes", body, CASHIER)
    assert await hotel.status() == "CLIENTE VIP"
    await hotel.does("suspension-notices", {})
    await house.until("2026-03-30T09:00")
    await hotel.does("suspensions", {})
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"
    cut = (await hotel.account())["suspension"]
    assert Decimal(cut["amount"]["amount"]) == whole - 100

    # Paga lo que no discute: lo que queda está en disputa, y pasa a INVESTIGAR.
    await hotel.reports_payment(str(whole - 100), "TRF-OTRO")
    await hotel.does("reconnections", {"basis": "payment"})
    assert await hotel.status() == "INVESTIGAR"

    # La explicación del 28 es la de entonces, sepa lo que sepa la casa hoy.
    assert await house.get(f"/collections/customers/{hotel.id}/explanation", hotel.agent, at=that_day) == then
