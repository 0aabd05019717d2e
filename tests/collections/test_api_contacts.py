"""The invoice on its way, its receipt, and everything that is said to a customer."""

from shared.events.collections import ContactRecorded, InvoiceDispatchRequested
from tests.collections.api_scene import OpenDatabase, local, scene
from tests.support.rules import rule


@rule("VIP-5", "VIP-7")
async def test_sending_the_invoice_is_documented_by_itself(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        invoice = await told.invoice(customer)
        answer = await told.served.as_("ana.martinez").post(f"/customers/{customer}/invoice-dispatches", json={"invoice_id": str(invoice)})
        assert answer.status_code == 202, answer.text
        assert "solicitado" in answer.json()["message"]
        asked = await told.served.published(InvoiceDispatchRequested)
        assert [(each.event.invoice_id, each.event.requested_by) for each in asked] == [(invoice, "ana.martinez")]
        sent = (await told.get(f"/customers/{customer}"))["contacts"][0]
        assert (sent["kind"], sent["channel"], sent["agent_name"]) == ("invoice_sent", "correo electrónico", "Ana Martínez")
        assert sent["said"] == "Factura de marzo de 2026 por $460.00, a pagar a más tardar el jueves 5 de marzo."
        assert sent["contacted_at"] == "2026-03-01T13:00:00Z"


@rule("VIP-6", "VIP-7")
async def test_the_receipt_is_confirmed_with_who_when_how_and_what_was_said(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        invoice = await told.invoice(customer)
        ana = told.served.as_("ana.martinez")
        body = {"kind": "receipt_confirmed", "channel": "teléfono", "said": "Doña Berta la recibió."}
        early = await ana.post(f"/customers/{customer}/contacts", json=body)
        assert (early.status_code, early.json()["rule"]) == (409, "VIP-6")
        await ana.post(f"/customers/{customer}/invoice-dispatches", json={"invoice_id": str(invoice)})
        await told.served.at(local("2026-03-02 10:30"))
        answer = await ana.post(f"/customers/{customer}/contacts", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["invoice_id"] == str(invoice)
        shown = (await told.get(f"/customers/{customer}"))["invoices"][0]
        assert (shown["receipt_confirmed_at"], shown["receipt_confirmed_by"]) == ("2026-03-02T16:30:00Z", "ana.martinez")
        event = (await told.served.published(ContactRecorded))[-1].event
        assert (event.kind, event.channel, event.agent, event.said) == ("receipt_confirmed", "teléfono", "ana.martinez", body["said"])
        twice = await ana.post(f"/customers/{customer}/contacts", json=body)
        assert twice.status_code == 409
        assert "Ana Martínez ya confirmó" in twice.json()["detail"]


@rule("VIP-3")
async def test_sales_writes_down_that_the_terms_were_told(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        sales = told.served.as_("sofia.mejia")
        body = {"kind": "terms_told", "channel": "visita", "said": "Paga del 1 al 5; puede negociar hasta fin de mes."}
        answer = await sales.post(f"/customers/{customer}/contacts", json=body)
        assert answer.status_code == 201, answer.text
        entry = next(each for each in (await told.get(f"/customers/{customer}/timeline"))["items"] if each["kind"] == "terms_told")
        assert (entry["who_name"], entry["rule"]["id"]) == ("Sofía Mejía", "VIP-3")
        assert entry["text"] == f"Le informó al cliente las condiciones de pago por visita: «{body['said']}»"
        other = await sales.post(f"/customers/{customer}/contacts", json={**body, "kind": "follow_up"})
        assert other.status_code == 403


@rule("VIP-8")
async def test_the_payment_is_followed_up_until_it_is_paid(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        await told.served.at(local("2026-03-12 09:00"))
        body = {"kind": "follow_up", "channel": "WhatsApp", "said": "Pagará en cuanto cobre."}
        await told.served.as_("ana.martinez").post(f"/customers/{customer}/contacts", json=body)
        item = (await told.get("/worklist"))["items"][0]
        assert (item["days_overdue"], item["last_contact"]["said"]) == (7, body["said"])
        follow_up = next(each for each in item["reasons"] if each["reason"] == "follow_up")
        assert (follow_up["rule"]["id"], follow_up["text"]) == (
            "VIP-8",
            "Debe $460.00 desde hace 7 días y no hay ningún acuerdo que corra.",
        )
        payment = await told.reported(customer)
        await told.confirmed(customer, payment)
        assert (await told.get("/worklist"))["items"] == []


async def test_another_customers_invoice_is_refused_and_nothing_is_kept(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer, other = await told.vip("C-1"), await told.vip("C-2")
        foreign = await told.invoice(other)
        await told.invoice(customer)
        ana = told.served.as_("ana.martinez")
        body = {"kind": "follow_up", "channel": "teléfono", "said": "Habló de la factura.", "invoice_id": str(foreign)}
        for path, sent in (("contacts", body), ("invoice-dispatches", {"invoice_id": str(foreign)})):
            answer = await ana.post(f"/customers/{customer}/{path}", json=sent)
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["field"] == "invoice_id"
        assert (await told.get(f"/customers/{customer}"))["contacts"] == []
        assert await told.served.published(ContactRecorded, InvoiceDispatchRequested) == []


async def test_a_contact_must_say_something_and_be_of_a_known_kind(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        body = {"kind": "llamada", "channel": "teléfono", "said": " ", "hora": "10:00"}
        answer = await told.served.as_("ana.martinez").post(f"/customers/{customer}/contacts", json=body)
        assert answer.status_code == 422
        assert {each["field"] for each in answer.json()["errors"]} == {"kind", "said", "hora"}
