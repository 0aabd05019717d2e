"""«GESTION DE COBROS CLIENTES VIP»: sending, receipts, follow-up; what the worklist, the timeline and the explanation say."""

from tests.flows.books import residential, vip
from tests.flows.stories import Customer, customers_of
from tests.support.house import TestHouse
from tests.support.rules import rule


async def to_do(house: TestHouse) -> list[tuple[str, str]]:
    """The agent's worklist: whom to turn to, and the most urgent reason."""
    items = (await house.get("/collections/worklist", "ana.martinez"))["items"]
    return [(each["name"], each["reasons"][0]["reason"]) for each in items]


async def sends(customer: Customer) -> None:
    await customer.does("invoice-dispatches", {"invoice_id": (await customer.invoice())["id"]})


async def confirms(customer: Customer) -> None:
    await customer.does("contacts", {"kind": "receipt_confirmed", "channel": "teléfono", "said": "Doña Berta la recibió."})


@rule("VIP-5", "VIP-6", "VIP-7", "VIP-8")
async def test_from_sending_the_invoice_to_its_payment(courier_house: TestHouse) -> None:
    house = courier_house
    _, hotel, bank = await customers_of(
        house, residential("A-1", "Edwin Paz"), vip("C-1", "Hotel Copantl"), vip("C-2", "Banco de Occidente")
    )

    # Las facturas VIP llevan los primeros números; la lista de trabajo manda enviarlas el día 1 o 2.
    await house.until("2026-03-01T08:00")
    numbers = {each["customer_id"]: each["number"] for each in (await house.get("/billing/invoices", period="2026-03"))["items"]}
    assert max(numbers[hotel.id], numbers[bank.id]) < min(number for who, number in numbers.items() if who not in (hotel.id, bank.id))
    assert {reason for _, reason in await to_do(house)} == {"invoice_not_sent"}
    assert "send_invoice" in await hotel.may()
    assert (await hotel.why_not("confirm_receipt"))[0] == "VIP-6"

    # Enviada, falta confirmar la recepción; confirmada, nada más por hoy.
    await sends(hotel)
    await sends(bank)
    assert {reason for _, reason in await to_do(house)} == {"receipt_not_confirmed"}
    await house.until("2026-03-02T09:00")
    await confirms(hotel)
    assert await to_do(house) == [("Banco de Occidente", "receipt_not_confirmed")]
    await confirms(bank)
    assert await to_do(house) == []
    contacts = (await hotel.account())["contacts"]
    (receipt,) = [each for each in contacts if each["kind"] == "receipt_confirmed"]
    assert (receipt["agent"], receipt["channel"], receipt["said"]) == ("ana.martinez", "teléfono", "Doña Berta la recibió.")
    assert receipt["contacted_at"] == "2026-03-02T15:00:00Z"

    # Pasado el 5 hay que dar seguimiento al pago, y todo queda documentado.
    await house.until("2026-03-06T09:00")
    assert {reason for _, reason in await to_do(house)} == {"follow_up"}
    await hotel.does("contacts", {"kind": "follow_up", "channel": "WhatsApp", "said": "Pagará el viernes."})
    await bank.promises("2026-03-10T17:00")
    assert await to_do(house) == [("Hotel Copantl", "follow_up")]
    assert [(await each.explanation())["status"]["label"] for each in (hotel, bank)] == ["CLIENTE VIP", "CLIENTE VIP"]

    # Lo más urgente primero: el compromiso incumplido antes que el seguimiento.
    await house.until("2026-03-10T17:01")
    assert await to_do(house) == [("Banco de Occidente", "promise_broken"), ("Hotel Copantl", "follow_up")]
    payment = await bank.reports_payment()
    await house.post(f"/billing/payments/{payment['id']}/confirm", {}, "ines.reyes")

    # El día 26 falta el aviso; el 28 se puede suspender, y la explicación dice lo mismo que la lista.
    await house.until("2026-03-26T09:00")
    assert await to_do(house) == [("Hotel Copantl", "notice_to_send")]
    assert ("notice" in await hotel.may(), (await hotel.why_not("suspend"))[0]) == (True, "VIP-12")
    await hotel.does("suspension-notices")
    await house.until("2026-03-28T00:00")
    assert await to_do(house) == [("Hotel Copantl", "cut_possible")]
    assert "suspend" in await hotel.may()
    await hotel.reports_payment()
    assert await to_do(house) == []
    assert (await hotel.why_not("suspend"))[0] == "VIP-12"

    # La historia del mes, en orden y en oraciones.
    entries = (await house.get(f"/collections/customers/{hotel.id}/timeline", "ana.martinez", limit=100))["items"]
    kinds = [each["kind"] for each in entries]
    story = ["invoice", "invoice_sent", "receipt_confirmed", "invoice_overdue", "follow_up", "suspension_notice", "payment_reported"]
    assert [each for each in kinds if each in story] == story
    assert [each["at"] for each in entries] == sorted(each["at"] for each in entries)
    assert all(each["text"] and each["text"][0].isupper() for each in entries)


@rule("VIP-5")
async def test_what_comes_next_is_what_comes(courier_house: TestHouse) -> None:
    """The explanation foretells: whatever it says of an instant is so when the instant has come."""
    house = courier_house
    (hotel,) = await customers_of(house, vip("C-3", "Cementos del Norte"))
    await house.until("2026-03-26T09:00")
    await hotel.does("suspension-notices")
    (suspend,) = [each for each in (await hotel.explanation())["may_not"] if each["action"] == "suspend"]
    assert suspend["allowed_from"] == "2026-03-28T06:00:00Z"
    await house.until("2026-03-27T23:59")
    assert "suspend" not in await hotel.may()
    await house.until("2026-03-28T00:00")
    assert "suspend" in await hotel.may()
    explained = await hotel.explanation()
    assert explained["clock"]["simulated"] is True
    assert {each["rule"] for each in explained["choices"]} >= {"VIP-12"}
