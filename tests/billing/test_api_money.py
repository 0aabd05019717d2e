"""Reversals, credit notes, disputes, refunds and plans over HTTP."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from shared.db import Database
from tests.billing.books import Book, customer_id, line, local, vip
from tests.billing.conftest import serving
from tests.billing.money import invoice_of, service_of
from tests.billing.test_api_customers import fields
from tests.support.service import Served, operator

MONEY = {"amount": "10.00", "currency": "USD"}
WHY = {"reason": "Tres días sin servicio"}


@pytest.fixture
async def month(billing: Served, book: Book) -> Served:
    """March 10, two customers with the month's invoice."""
    await book.customers(billing, line(id="C-1", correo="ana@uno.hn", gestor="ana.martinez"), vip(id="V-1"))
    await billing.at(local("2026-03-10"))
    return billing


async def paid(billing: Served, external_id: str, amount: str) -> str:
    """A confirmed payment."""
    client = billing.as_("ines.reyes")
    body = {
        "customer_id": str(await customer_id(billing, external_id)),
        "amount": {"amount": amount, "currency": "USD"},
        "channel": "banco",
        "reference": "BR-1",
        "paid_on": "2026-03-10",
    }
    made = (await client.post("/payments", json=body)).json()
    await client.post(f"/payments/{made['id']}/confirm")
    return str(made["id"])


async def test_a_credit_note_is_issued_listed_shown_and_printed(month: Served) -> None:
    client, invoice = month.as_("ines.reyes"), await invoice_of(month, "C-1")
    made = await client.post(f"/invoices/{invoice}/credit-notes", json={"amount": MONEY, **WHY})
    assert made.status_code == 201, made.text
    note = made.json()
    assert (note["number"], note["total"]["amount"], note["base"]["amount"], note["tax"]["amount"]) == (
        "000-001-03-00000001", "10.0000", "8.6900", "1.3100",
    )  # fmt: skip
    assert made.headers["location"] == f"/billing/credit-notes/{note['id']}"
    assert (await client.get(f"/credit-notes/{note['id']}")).json() == note
    listed = (await client.get("/credit-notes", params={"invoice_id": str(invoice)})).json()["items"]
    assert [each["number"] for each in listed] == [note["number"]]
    printed = await client.get(f"/credit-notes/{note['id']}/pdf")
    assert printed.content.startswith(b"%PDF") and f"nota-de-credito-{note['id']}.pdf" in printed.headers["content-disposition"]
    shown = (await client.get(f"/invoices/{invoice}")).json()
    assert (shown["credited"]["amount"], shown["balance"]["amount"]) == ("10.0000", "35.8900")


async def test_a_dispute_is_opened_by_collections_and_decided_by_billing(month: Served) -> None:
    agent, billing = month.as_("ana.martinez"), month.as_("ines.reyes")
    invoice = await invoice_of(month, "C-1")
    opened = await agent.post(f"/invoices/{invoice}/disputes", json={"amount": MONEY, **WHY})
    assert (opened.status_code, opened.json()["state"]) == (201, "OPEN"), opened.text
    path = f"/disputes/{opened.json()['id']}"
    assert (await agent.post(f"{path}/accept", json={"resolution": "Sí, falló"})).status_code == 403
    decided = await billing.post(f"{path}/accept", json={"resolution": "Sí, falló"})
    assert (decided.status_code, decided.json()["state"], decided.headers["etag"]) == (200, "ACCEPTED", '"2"')
    assert (await billing.get(f"/credit-notes/{decided.json()['credit_note_id']}")).json()["total"]["amount"] == "10.0000"
    again = await billing.post(f"{path}/reject", json={"resolution": "No, no falló"})
    assert (again.status_code, again.json()["remedy"]) == (409, "Fue aceptada por ines.reyes.")
    assert [each["id"] for each in (await billing.get("/disputes", params={"state": "ACCEPTED"})).json()["items"]] == [decided.json()["id"]]


async def test_what_is_left_over_is_seen_and_given_back(month: Served) -> None:
    client, who = month.as_("ines.reyes"), await customer_id(month, "C-1")
    await paid(month, "C-1", "60.00")
    credit = (await client.get(f"/customers/{who}/credit")).json()
    assert (credit["available"]["amount"], credit["reported"]["amount"]) == ("14.1100", "0.0000")
    body = {"amount": MONEY, "channel": "transferencia", "reference": "TRF-1", "reason": "Pagó dos veces"}
    back = await client.post(f"/customers/{who}/refunds", json=body)
    assert (back.status_code, back.json()["amount"]["amount"]) == (201, "10.0000"), back.text
    assert (await client.get(f"/customers/{who}/credit")).json()["available"]["amount"] == "4.1100"
    refused = await client.post(f"/customers/{who}/refunds", json=body)
    assert (refused.status_code, refused.json()["rule"]) == (409, "PAGO-3")
    assert [each["reference"] for each in (await client.get("/refunds", params={"customer_id": str(who)})).json()["items"]] == ["TRF-1"]


async def test_a_payment_is_reversed_and_one_is_moved(month: Served) -> None:
    client = month.as_("ines.reyes")
    payment = await paid(month, "C-1", "45.89")
    right = str(await customer_id(month, "V-1"))
    moved = await client.post(f"/payments/{payment}/move", json={"customer_id": right, "reason": "Era de otro"})
    assert (moved.status_code, moved.json()["customer_id"], moved.json()["moved_from"]) == (201, right, payment), moved.text
    assert (await client.get(f"/payments/{payment}")).json()["state"] == "REVERSED"
    bounced = await client.post(f"/payments/{moved.json()['id']}/reverse", json={"reason": "Cheque devuelto"})
    assert (bounced.status_code, bounced.json()["state"], bounced.json()["reversed_by"]) == (200, "REVERSED", "ines.reyes")


async def test_a_plan_is_changed_and_the_change_is_kept(month: Served) -> None:
    client, who = month.as_("sofia.mejia"), await customer_id(month, "V-1")
    path = f"/customers/{who}/services/{await service_of(month, 'V-1')}/plan"
    made = await client.post(path, json={"plan_code": "corporativo_50", "effective_from": "2026-03-16", "reason": "Downgrade"})
    assert (made.status_code, made.json()["from_plan"], made.json()["applied_at"]) == (201, "corporativo_100", None), made.text
    today = await client.post(path, json={"plan_code": "dedicado_20", "reason": "Hoy mismo"})
    assert (today.status_code, today.json()["rule"]) == (409, "FACT-6")
    wrong = await client.post(path, json={"plan_code": "corporativo_51", "reason": "Downgrade"})
    assert (wrong.status_code, fields(wrong)) == (422, ["plan_code"])
    listed = (await client.get(f"/customers/{who}/plan-changes")).json()["items"]
    assert [each["to_plan"] for each in listed] == ["corporativo_50"]
    assert (
        await client.post(f"/customers/{who}/services/{uuid4()}/plan", json={"plan_code": "hogar_10", "reason": "Otro"})
    ).status_code == 404


@pytest.mark.parametrize("path", ["credit-notes", "disputes"])
async def test_an_amount_that_cannot_be_names_its_field(month: Served, path: str) -> None:
    client, invoice = month.as_("ines.reyes"), await invoice_of(month, "C-1")
    for amount, field in (
        ({"amount": "1.001", "currency": "USD"}, "amount.amount"),
        ({"amount": "1", "currency": "HNL"}, "amount.currency"),
    ):
        answer = await client.post(f"/invoices/{invoice}/{path}", json={"amount": amount, **WHY})
        assert (answer.status_code, fields(answer)) == (422, [field])


async def test_what_is_sent_twice_happens_once(month: Served) -> None:
    client, invoice = month.as_("ines.reyes"), await invoice_of(month, "C-1")
    body: dict[str, Any] = {"amount": MONEY, **WHY}
    answers = [await client.post(f"/invoices/{invoice}/credit-notes", json=body, headers={"idempotency-key": "nota-1"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(await month.sql("SELECT id FROM credit_note")) == 1


async def test_the_operators_order_decides_where_a_payment_goes(
    database: Callable[[str], Awaitable[Database]], tmp_path: Path, book: Book
) -> None:
    oldest = operator().model_copy(update={"payment_order": ["oldest"]})
    february = {"factura": "A-1", "mes": "2026-02", "emitida": "2026-02-01", "vence": "2026-02-10", "total": "45.89", "debe": "45.89"}
    async with serving(await database("billing"), tmp_path, using=oldest) as billing:
        await book.customers(billing, line(id="C-1", **february))
        await billing.at(local("2026-03-10"))
        body = {
            "customer_id": str(await customer_id(billing, "C-1")),
            "amount": MONEY,
            "channel": "banco",
            "reference": "BR-1",
            "paid_on": "2026-03-10",
            "invoice_id": str(await invoice_of(billing, "C-1")),
        }
        made = await billing.as_("ines.reyes").post("/payments", json=body)
        parts = [each["invoice_id"] for each in made.json()["allocations"]]
        assert parts == [str(await invoice_of(billing, "C-1", "2026-02"))]
