"""«SUSPENSION DE SERVICIO A CLIENTES VIP» and «RECONEXION», service delivered directly by the company: one whole month."""

from tests.flows.books import vip
from tests.flows.stories import FIVE_DESKS, SIX_DESKS, customers_of, told
from tests.support.house import TestHouse
from tests.support.rules import rule
from tests.support.terminals import Terminals


@rule("VIP-5", "VIP-6", "VIP-7", "VIP-9", "VIP-10", "VIP-12", "VIP-13", "VIP-15", "VIP-20", "VIP-21", "VIP-24")
async def test_a_vip_that_does_not_pay_is_told_suspended_and_reconnected(house: TestHouse) -> None:
    await own_delivery(house)


async def own_delivery(house: Terminals) -> None:
    """From the invoice of day 1 to ACTIVO TEMPORAL PAGO."""
    (hotel,) = await customers_of(house, vip("C-1", "Hotel Copantl", agent="ana.martinez"))
    assert await hotel.status() == "CLIENTE VIP"

    # La Factura deberá ser enviada a más tardar el día 02; el gestor confirma la recepción y lo documenta.
    await house.until("2026-03-01T10:00")
    invoice = await hotel.invoice()
    assert (invoice["total"]["amount"], invoice["due_date"]) == ("690.0000", "2026-03-05")
    await hotel.does("invoice-dispatches", {"invoice_id": invoice["id"]})
    (mail,) = house.mails(to="pagos@c-1.example")
    assert [each.get_content_type() for each in mail.iter_attachments()] == ["application/pdf"]
    await house.until("2026-03-02T09:00")
    await hotel.does("contacts", {"kind": "receipt_confirmed", "channel": "teléfono", "said": "La recibió.", "invoice_id": invoice["id"]})
    kinds = [each["kind"] for each in (await hotel.account())["contacts"]]
    assert {"invoice_sent", "receipt_confirmed"} <= set(kinds)

    # 24 horas antes el gestor informa por correo a cinco escritorios.
    await house.until("2026-03-26T09:00")
    await hotel.does("suspension-notices", {})
    assert told(house, "uspensión en 24 horas") == set(FIVE_DESKS)
    early = await hotel.is_refused("suspensions", {})
    assert early["rule"] in ("VIP-10", "VIP-12")

    # Si NO hay pago reportado a más tardar el 27, se suspende; no antes de que el 27 termine, y solo su gestor.
    await house.until("2026-03-27T23:59")
    assert (await hotel.is_refused("suspensions", {}))["rule"] == "VIP-12"
    await house.until("2026-03-28T00:00")
    assert (await hotel.is_refused("suspensions", {}, "carlos.rivera"))["rule"] == "VIP-9"
    await hotel.does("suspensions", {})

    # El ticket SUSPENSION CLIENTE VIP se cierra de forma automática y seis escritorios reciben el correo.
    (ticket,) = await hotel.tickets()
    assert (ticket["kind"], ticket["outcome"]) == ("SUSPENSION CLIENTE VIP", "suspended")
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"
    assert told(house, "SUSPENSION CLIENTE VIP") == set(SIX_DESKS)

    # Una vez que el cliente reporta el pago, el gestor reconecta directamente: ACTIVO TEMPORAL PAGO.
    await house.until("2026-03-28T11:00")
    payment = await hotel.reports_payment()
    await hotel.does("reconnections", {"basis": "payment"})
    assert await hotel.status() == "ACTIVO TEMPORAL PAGO"
    assert told(house, "RECONEXION CLIENTE VIP") == set(SIX_DESKS)

    # Confirmado el pago, el cliente vuelve a CLIENTE VIP.
    await house.post(f"/billing/payments/{payment['id']}/confirm", {}, "ines.reyes")
    assert await hotel.status() == "CLIENTE VIP"
    assert (await hotel.invoice())["state"] == "PAID"
