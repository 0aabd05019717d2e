"""Invoices, payments and runs over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from shared.events.billing import PaymentConfirmed, PaymentReported
from shared.press import Shop
from tests.billing.books import Book, line, local, vip
from tests.billing.test_api_customers import fields
from tests.support.service import Served


@pytest.fixture
async def month(billing: Served, book: Book) -> Served:
    """March 3, two customers with the month's invoice."""
    await book.customers(billing, line(id="C-1", correo="ana@uno.hn", gestor="ana.martinez"), vip(id="V-1"))
    await billing.at(local("2026-03-03"))
    return billing


async def invoice_of(billing: Served, external_id: str) -> dict[str, Any]:
    """The customer's invoice as the API lists it."""
    client = billing.as_("ines.reyes")
    customer = (await client.get("/customers", params={"external_id": external_id})).json()["items"][0]
    found = (await client.get("/invoices", params={"customer_id": customer["id"]})).json()["items"]
    return dict(found[0])


async def payment(billing: Served, external_id: str = "C-1", **changes: Any) -> dict[str, Any]:
    """A payment of the customer's whole invoice."""
    invoice = await invoice_of(billing, external_id)
    amount = {"amount": invoice["balance"]["amount"], "currency": "USD"}
    return {
        "customer_id": invoice["customer_id"],
        "amount": amount,
        "channel": "banco",
        "reference": "BR-1",
        "paid_on": "2026-03-03",
        **changes,
    }


async def test_a_payment_is_reported_and_confirmed(month: Served) -> None:
    client = month.as_("ana.martinez")
    made = await client.post("/payments", json=await payment(month))
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["state"], shown["reported_by"], made.headers["etag"]) == ("REPORTED", "ana.martinez", '"1"')
    assert (await invoice_of(month, "C-1"))["reported"]["amount"] == "45.8900"
    confirmed = await client.post(f"/payments/{shown['id']}/confirm")
    assert (confirmed.status_code, confirmed.json()["state"]) == (200, "CONFIRMED")
    assert (await invoice_of(month, "C-1"))["state"] == "PAID"
    again = await client.post(f"/payments/{shown['id']}/confirm")
    assert again.status_code == 409
    listed = (await client.get("/payments", params={"customer_id": shown["customer_id"]})).json()["items"]
    assert [each["allocations"] for each in listed] == [shown["allocations"]]


async def test_a_post_that_is_sent_twice_happens_once(month: Served) -> None:
    client, body = month.as_("ana.martinez"), await payment(month)
    headers = {"idempotency-key": "p-1"}
    first = await client.post("/payments", json=body, headers=headers)
    second = await client.post("/payments", json=body, headers=headers)
    assert (second.status_code, second.content, second.headers["idempotency-replayed"]) == (201, first.content, "true")
    assert len(await month.published(PaymentReported)) == 1
    other = await client.post("/payments", json={**body, "reference": "BR-2"}, headers=headers)
    assert (other.status_code, fields(other)) == (422, ["Idempotency-Key"])
    for _ in range(2):
        await client.post(f"/payments/{first.json()['id']}/confirm", headers=headers)
    another = (await client.post("/payments", json={**body, "reference": "BR-3"})).json()["id"]
    assert (await client.post(f"/payments/{another}/confirm", headers=headers)).status_code == 422  # the same route, something else
    assert len(await month.published(PaymentConfirmed)) == 1
    twice = await client.post("/payments", json=body)  # another key, the same reference
    assert (twice.status_code, twice.json()["rule"]) == (409, "PAGO-1")


async def test_a_rejected_payment(month: Served) -> None:
    client = month.as_("ana.martinez")
    made = (await client.post("/payments", json=await payment(month))).json()
    assert (await client.post(f"/payments/{made['id']}/reject", json={})).status_code == 422
    rejected = await client.post(f"/payments/{made['id']}/reject", json={"reason": "El banco devolvió el cheque"})
    assert (rejected.json()["state"], rejected.json()["reject_reason"]) == ("REJECTED", "El banco devolvió el cheque")
    assert (await invoice_of(month, "C-1"))["reported"]["amount"] == "0.0000"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"monto": "1"}, ["monto"]),
        ({"amount": {"amount": "-5.00", "currency": "USD"}}, ["amount.amount"]),
        ({"amount": {"amount": "0", "currency": "USD"}}, ["amount.amount"]),
        ({"amount": {"amount": "5.00", "currency": "HNL"}}, ["amount.currency"]),
        ({"amount": {"amount": "5.00", "currency": "dolares"}}, ["amount.currency"]),
        ({"amount": {"amount": "NaN", "currency": "USD"}}, ["amount.amount"]),
        ({"amount": {"amount": "1e30", "currency": "USD"}}, ["amount.amount"]),
        ({"amount": {"amount": "5.00", "currency": "USD", "iva": "1"}}, ["amount.iva"]),
        ({"amount": "5.00"}, ["amount"]),
        ({"paid_on": "2026-03-04"}, ["paid_on"]),
        ({"paid_on": "mañana"}, ["paid_on"]),
        ({"paid_on": "2026-03-03T10:00:00"}, ["paid_on"]),
        ({"reference": " "}, ["reference"]),
        ({"customer_id": "C-1"}, ["customer_id"]),
    ],
)
async def test_bad_input_names_its_field_and_changes_nothing(month: Served, changes: dict[str, Any], named: list[str]) -> None:
    answer = await month.as_("ana.martinez").post("/payments", json=await payment(month, **changes))
    assert (answer.status_code, fields(answer)) == (422, named)
    assert await month.sql("SELECT id FROM payment") == []


async def test_other_refusals(month: Served) -> None:
    client = month.as_("ana.martinez")
    others = (await invoice_of(month, "V-1"))["id"]
    refused = await client.post("/payments", json=await payment(month, invoice_id=others))
    assert (refused.status_code, refused.json()["rule"], bool(refused.json()["remedy"])) == (409, "PAGO-1", True)
    assert (await client.post("/payments", json=await payment(month, customer_id=str(uuid4())))).status_code == 404
    assert (await client.post("/payments", content=b"[" * 10, headers={"content-type": "application/json"})).status_code == 422
    huge = await client.post("/payments", content=b'{"reference": "' + b"x" * 10_000_000 + b'"}')
    assert (huge.status_code, huge.json()["type"].rsplit("/", 1)[-1]) == (413, "demasiado-grande")
    assert (await month.as_("noc.turno").post("/payments", json=await payment(month))).status_code == 403
    assert await month.sql("SELECT id FROM payment") == []


async def test_invoices_are_found_shown_and_printed(month: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client = month.as_("ana.martinez")
    listed = (await client.get("/invoices", params={"period": "2026-03", "state": "OPEN"})).json()["items"]
    assert [each["number"] for each in listed] == ["000-001-01-00000001", "000-001-01-00000002"]
    assert (await client.get("/invoices", params={"number": "000-001-01-00000002"})).json()["items"] == listed[1:]
    shown = (await client.get(f"/invoices/{listed[1]['id']}")).json()
    assert (shown["total"]["amount"], shown["lines"][0]["tax_rate"], shown["fiscal"]["expires"]) == ("45.8900", "0.1500", "2027-12-31")
    printed = await client.get(f"/invoices/{listed[1]['id']}/pdf")
    assert (printed.status_code, printed.headers["content-type"], printed.content[:5]) == (200, "application/pdf", b"%PDF-")
    assert printed.content == (await client.get(f"/invoices/{listed[1]['id']}/pdf")).content
    with monkeypatch.context() as meanwhile:  # whoever prints is ended again and again: the machine's memory is full
        meanwhile.setattr("shared.press.OURS", Shop(patience=0.0))
        refused = await client.get(f"/invoices/{listed[1]['id']}/pdf")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    for params in ({"period": "2026-13"}, {"state": "open"}, {"customer_id": "7"}):
        assert (await client.get("/invoices", params=params)).status_code == 422
    assert (await client.get(f"/invoices/{uuid4()}/pdf")).status_code == 404


async def test_an_invoice_is_voided_by_billing_alone(month: Served) -> None:
    invoice = await invoice_of(month, "C-1")
    body = {"reason": "Servicio nunca instalado"}
    assert (await month.as_("ana.martinez").post(f"/invoices/{invoice['id']}/void", json=body)).status_code == 403
    voided = await month.as_("ines.reyes").post(f"/invoices/{invoice['id']}/void", json=body)
    assert (voided.json()["state"], voided.json()["void_reason"], voided.json()["balance"]["amount"]) == (
        "VOIDED",
        body["reason"],
        "0.0000",
    )
    again = await month.as_("ines.reyes").post(f"/invoices/{invoice['id']}/void", json=body)
    assert (again.status_code, again.json()["rule"]) == (409, "FACT-2")
    printed = await month.as_("ines.reyes").get(f"/invoices/{invoice['id']}/pdf")
    assert printed.status_code == 200


async def test_runs_and_series(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"))
    client = billing.as_("ines.reyes")
    early = await client.post("/billing-runs", json={"period": "2026-03"})
    assert (early.status_code, early.json()["rule"]) == (409, "FACT-1")
    await billing.runtime.clock.set(local("2026-03-01", "00:05"))  # type: ignore[attr-defined]
    started = await client.post("/billing-runs", json={"period": "2026-03"})
    assert (started.status_code, started.json()["state"], started.json()["customers"]) == (202, "RUNNING", 1)
    await billing.work()
    run = (await client.get(started.headers["location"].removeprefix("/billing"))).json()
    assert (run["state"], run["invoices"], run["total"]["amount"]) == ("COMPLETED", 1, "45.8900")
    assert [each["period"] for each in (await client.get("/billing-runs")).json()["items"]] == ["2026-03"]
    assert (await client.post("/billing-runs", json={"period": "2026-03"})).status_code == 409
    assert (await client.post("/billing-runs", json={"period": "marzo"})).status_code == 422
    assert (await billing.as_("ana.martinez").post("/billing-runs", json={"period": "2026-03"})).status_code == 403
    series = (await client.get("/fiscal-series")).json()
    assert [(each["document"], each["next"], each["left"]) for each in series] == [
        ("invoice", "000-001-01-00000002", 4_999_999),
        ("credit_note", "000-001-03-00000001", 100_000),
    ]


async def test_metrics_show_billings_own_figures(month: Served) -> None:
    text = (await month.as_("admin").get("/metrics")).text
    assert 'reconecta_billing_runs{kind="completed",service="billing"} 1.0' in text
    assert 'reconecta_billing_invoices{kind="not_yet_due",service="billing"} 2.0' in text
