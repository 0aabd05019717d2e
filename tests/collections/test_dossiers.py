"""The legal dossier: what it contains, that it can be proved, and that nothing in a customer's data is more than text."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pypdf import PdfReader

from services.collections.jobs import dossiers
from services.collections.jobs.dossiers import print_dossier
from services.collections.operations.dossiers import MAX_ATTEMPTS
from services.collections.queries.dossiers import Gathered
from services.collections.rules.dossier import Subject
from services.collections.rules.dossier.ledger import ledger_of
from shared.db import new_id
from shared.events import Event
from shared.events.billing import CreditNoteIssued, FreedPart, InvoiceIssued, PaymentAllocated, PaymentRejected, PaymentReported
from shared.press import PdfFailed
from tests.collections.api_scene import OpenDatabase, Scene, local, scene
from tests.support.service import operator

AT = datetime(2026, 4, 2, 14, tzinfo=UTC)
SUBJECT = Subject(UUID(int=1), None, "marta.zelaya", AT, AT)
CUSTOMER: dict[str, Any] = {
    "id": UUID(int=2), "external_source": "crm", "external_id": "C-1", "name": "Hotel Copantl", "tax_id": "05019001004321",
    "contacts": [], "services": [], "delivery": "own", "monthly_amount": Decimal(400), "currency": "USD", "is_isp": False,
    "special_negotiation": None, "contract_start": None, "contract_end": None, "agent": "ana.martinez", "policy": "vip",
    "opening_status": None, "status": "active", "status_since": AT, "registered_at": AT,
}  # fmt: skip


def golden(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"tests/contracts/golden/{kind}.json").read_text())["data"]
    return found


def happening(kind: str, number: int, **changes: Any) -> dict[str, Any]:
    """An event as the table keeps it, made of its golden sample."""
    return {"at": AT, "number": number, "type": kind, "data": golden(kind) | changes}


def text_of(file: bytes) -> str:
    """The words on all pages, with their blanks evened out and without the places where a long word may break."""
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO(file)).pages)
    return " ".join(text.replace("\u200b", "").split())


def attached(file: bytes) -> bytes:
    (content,) = PdfReader(BytesIO(file)).attachments["expediente.json"]
    return content


async def test_the_same_content_is_the_same_file_and_the_printed_hash_is_that_of_what_is_attached() -> None:
    known = Gathered(CUSTOMER, [], [happening("collections.contact_recorded.v1", 1), happening("billing.invoice_issued.v1", 2)])
    one, again = [await print_dossier(operator(), SUBJECT, known) for _ in range(2)]
    assert one.file == again.file and one.file_sha256 == hashlib.sha256(one.file).hexdigest()
    assert hashlib.sha256(attached(one.file)).hexdigest() == one.content_sha256
    text = text_of(one.file)
    assert one.content_sha256 in text
    assert (
        attached(one.file).decode()
        == one.content
        == json.dumps(json.loads(one.content), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    )
    assert one.pages == len(PdfReader(BytesIO(one.file)).pages) and f"Página 2 de {one.pages}" in text
    other = await print_dossier(operator(), SUBJECT, Gathered(CUSTOMER | {"name": "Hotel Copantl S.A."}, [], known.told))
    assert other.content_sha256 != one.content_sha256 and other.file != one.file


async def test_nothing_in_a_customers_data_is_read_as_markup() -> None:
    nasty = '#panic("x") *negrita* $x^2$ \\ @cita <etiqueta> {{ 7*7 }} #import "a.typ" " \'] )'
    told = [
        happening("collections.contact_recorded.v1", 1, said=nasty, channel=nasty[:20]),
        happening("collections.suspension_requested.v1", 2, reason=nasty),
        happening("ticketing.step_finished.v1", 3, comment=nasty, captured=[{"name": "x", "label": nasty, "kind": "text", "value": nasty}]),
    ]
    sold = {"plan_code": nasty, "delivery": "own", "access_node": nasty, "network_login": nasty, "monthly_amount": "1"}
    services = [sold | {"active_from": "2026-01-01", "active_to": None}]
    customer = CUSTOMER | {"name": nasty, "external_id": "#1", "special_negotiation": nasty, "services": services}
    text = text_of((await print_dossier(operator(), SUBJECT, Gathered(customer, [], told))).file)
    assert '#panic("x") *negrita* $x^2$' in text and "{{ 7*7 }}" in text


async def test_a_name_in_a_script_that_no_font_has_does_not_leave_the_lawyer_without_a_dossier() -> None:
    made = await print_dossier(operator(), SUBJECT, Gathered(CUSTOMER | {"name": "Hotel 株式会社 \U0001f3e8"}, [], []))
    assert json.loads(attached(made.file))["customer"]["name"] == "Hotel 株式会社 \U0001f3e8"


async def test_an_event_of_a_release_that_is_not_ours_is_kept_in_the_content_and_breaks_nothing() -> None:
    strange = {"at": AT, "number": 1, "type": "billing.loyalty_granted.v7", "data": {"points": 3}}
    made = await print_dossier(operator(), SUBJECT, Gathered(CUSTOMER, [], [strange]))
    assert b"loyalty_granted" in attached(made.file)


def event(kind: type[Event], **fields: Any) -> Event:
    return kind.model_validate(golden(kind.TYPE) | fields)


def test_the_balance_is_what_the_events_say() -> None:
    """Two invoices of 100; a payment of 150, of which a credit note frees 20 that go to the second; another payment bounces."""
    first, second, payment, bounced = (str(new_id()) for _ in range(4))
    told = [event(InvoiceIssued, invoice_id=each, balance="100", total="100") for each in (first, second)]
    parts = [{"invoice_id": first, "amount": "100"}, {"invoice_id": second, "amount": "50"}]
    told.append(event(PaymentReported, payment_id=payment, amount="150", allocations=parts))
    told.append(event(PaymentReported, payment_id=bounced, amount="50", allocations=[{"invoice_id": second, "amount": "50"}]))
    ledger = ledger_of((AT, each) for each in told)
    assert ledger.owed() == 0
    told.append(event(PaymentRejected, payment_id=bounced, amount="50", allocations=[{"invoice_id": second, "amount": "50"}]))
    assert ledger_of((AT, each) for each in told).owed() == 50
    freed = [FreedPart(payment_id=UUID(payment), amount=Decimal(20)).model_dump()]
    told.append(event(CreditNoteIssued, invoice_id=first, amount="20", freed=freed))
    told.append(event(PaymentAllocated, payment_id=payment, allocations=[{"invoice_id": second, "amount": "20"}]))
    ledger = ledger_of((AT, each) for each in told)
    assert [ledger.open(UUID(first)), ledger.open(UUID(second)), ledger.owed()] == [Decimal(0), Decimal(30), Decimal(30)]


async def asked(told: Scene, customer: UUID, person: str = "marta.zelaya", **body: Any) -> dict[str, Any]:
    """Ask for a dossier and let it be printed."""
    answer = await told.served.as_(person).post(f"/customers/{customer}/dossiers", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "QUEUED" and answer.json()["pdf"] is None
    await told.served.work()
    found: dict[str, Any] = await told.get(answer.headers["location"].removeprefix("/collections"), person)
    return found


async def verified(told: Scene, file: bytes) -> dict[str, Any]:
    headers = {"content-type": "application/pdf"}
    answer = await told.served.as_("marta.zelaya").post("/dossiers/verify", content=file, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_file_is_exactly_one_that_was_given_out_or_it_is_not(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        await told.served.at(local("2026-04-02 08:00"))
        made = await asked(told, customer)
        assert (made["state"], made["requested_by_name"]) == ("READY", "Marta Zelaya")
        answer = await told.served.as_("ana.martinez").get(f"/dossiers/{made['id']}/pdf")
        file = answer.content
        assert answer.headers["content-type"] == "application/pdf"
        assert (len(file), hashlib.sha256(file).hexdigest()) == (made["size"], made["file_sha256"])
        assert "Se debe" not in (said := await verified(told, file))["text"]
        assert (said["genuine"], said["altered"], said["dossier_id"], said["requested_by"]) == (True, False, made["id"], "marta.zelaya")
        assert said["text"].endswith("que se le entregó a Marta Zelaya el jueves 2 de abril de 2026 a las 08:00.")
        changed = file.replace(b"/Type", b"/type", 1)
        assert changed != file
        said = await verified(told, changed)
        assert (said["genuine"], said["altered"], said["dossier_id"]) == (False, True, made["id"])
        said = await verified(told, b"%PDF-1.7 something else")
        assert (said["genuine"], said["altered"], said["dossier_id"]) == (False, False, None)
        # What happens afterwards changes nothing of what was given out; the next dossier tells it.
        await told.reported(customer)
        assert (await told.served.as_("ana.martinez").get(f"/dossiers/{made['id']}/pdf")).content == file
        newer = await asked(told, customer)
        assert newer["content_sha256"] != made["content_sha256"]
        listed = await told.get(f"/dossiers?customer_id={customer}")
        assert [each["id"] for each in listed["items"]] == [newer["id"], made["id"]]


async def test_the_case_must_be_the_customers_and_a_stranger_gets_nothing(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        wrong = await told.served.as_("marta.zelaya").post(f"/customers/{customer}/dossiers", json={"suspension_id": str(new_id())})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "suspension_id")
        assert (await told.served.as_("marta.zelaya").post(f"/customers/{new_id()}/dossiers", json={})).status_code == 404
        assert (await told.served.as_("sofia.mejia").post(f"/customers/{customer}/dossiers", json={})).status_code == 403
        waiting = await told.served.as_("marta.zelaya").post(f"/customers/{customer}/dossiers", json={})
        early = await told.served.as_("marta.zelaya").get(f"/dossiers/{waiting.json()['id']}/pdf")
        assert early.status_code == 409


async def test_one_that_cannot_be_printed_is_given_up_and_holds_up_no_other(
    database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(database) as told:
        customer = await told.vip()

        async def jammed(*_: Any) -> Any:
            raise PdfFailed("dossier.typ: unknown variable")

        with monkeypatch.context() as patched:
            patched.setattr(dossiers, "print_dossier", jammed)
            made = await asked(told, customer)
        assert (made["state"], made["pdf"]) == ("FAILED", None) and "No se pudo imprimir" in made["failure"]
        assert [row.attempts for row in await told.served.sql("SELECT attempts FROM dossier")] == [MAX_ATTEMPTS]
        assert (await asked(told, customer))["state"] == "READY"
