"""A cut that stays unpaid, and what the lawyer is given: the whole history as one PDF that proves itself (VIP-17)."""

import hashlib
import json
from io import BytesIO
from typing import Any

from pypdf import PdfReader

from tests.flows.books import vip
from tests.flows.stories import FIVE_DESKS, SIX_DESKS, Customer, customers_of
from tests.support.house import TestHouse
from tests.support.rules import rule


@rule("VIP-17")
async def test_the_lawyer_gets_everything_and_it_can_be_proved(house: TestHouse) -> None:
    """Abril 2: Cobros documenta el caso de un cliente suspendido que no paga."""
    (hotel,) = await customers_of(house, vip("C-1", "Hotel Copantl", agent="ana.martinez"))
    await house.until("2026-03-01T10:00")
    invoice = await hotel.invoice()
    await hotel.does("invoice-dispatches", {"invoice_id": invoice["id"]})
    await house.until("2026-03-10T09:00")
    await hotel.does("contacts", {"kind": "follow_up", "channel": "teléfono", "said": "El gerente firma el cheque el viernes."})
    await hotel.promises("2026-03-20T17:00")
    await hotel.is_cut_after_the_notice()
    await house.until("2026-04-02T08:00")
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"

    made = await dossier(house, hotel, (await hotel.account())["suspension"]["id"])
    assert made["state"] == "READY"
    file = (await house.as_("ana.martinez").get(f"/collections/dossiers/{made['id']}/pdf")).content
    assert (hashlib.sha256(file).hexdigest(), len(PdfReader(BytesIO(file)).pages)) == (made["file_sha256"], made["pages"])
    text = words(file)
    for part in (
        "El cliente y su contrato", "Facturas y saldo", "Pagos", "Gestiones con el cliente", "Compromisos, planes de pago",
        "Avisos y prueba de su envío", "Suspensiones y reconexiones", "Tickets, tareas", "Estados del cliente", "Cronología",
        "Autenticidad",
    ):  # fmt: skip
        assert text.count(part) >= 2, f"{part} is in the table of contents and in its place"
    for fact in (
        "Hotel Copantl", invoice["number"], "$690.00", "El gerente firma el cheque el viernes.", "Incumplió el compromiso 1",
        "SUSPENDIDO CLIENTE VIP", "ESTE CASO", "SUSPENSION CLIENTE VIP", "Ana Martínez", "VIP-12", made["content_sha256"],
    ):  # fmt: skip
        assert fact in text, fact

    # La prueba del envío: el Message-ID con que cada correo salió y la hora en que su servidor lo aceptó; la de la red: su conmutación.
    sent = {str(mail["Message-ID"]) for mail in house.mails(subject="uspensión en 24 horas")}
    content = json.loads(PdfReader(BytesIO(file)).attachments["expediente.json"][0])
    told = {each["type"]: each["data"] for each in content["happenings"]}
    [notice] = mails_of(content, "aviso_suspension_vip")
    assert {each["message_id"] for each in notice["deliveries"]} == sent
    assert {each["recipient"].split("@")[0] for each in notice["deliveries"]} == set(FIVE_DESKS)
    assert all(each in text.replace(" ", "") for each in sent)
    (switch,) = told["ticketing.service_suspended.v1"]["proof"]
    (done,) = [each for each in (await house.get("/ticketing/switches", "oscar.banegas"))["items"] if each["id"] == switch["switch_id"]]
    assert (done["state"], switch["switch_id"] in text.replace(" ", "")) == ("DONE", True)
    [closed] = mails_of(content, "ticket_suspension_cerrado")
    assert {each["recipient"].split("@")[0] for each in closed["deliveries"]} == set(SIX_DESKS)

    # Quien lo recibe lo comprueba; quien lo cambia queda al descubierto.
    said = await verified(house, file)
    assert said["genuine"] and said["text"].startswith(f"Es exactamente el expediente {made['id']} de Hotel Copantl (C-1)")
    changed = await verified(house, file.replace(b"/Type", b"/type", 1))
    assert (changed["genuine"], changed["altered"]) == (False, True)


async def dossier(house: TestHouse, customer: Customer, suspension_id: str) -> Any:
    """The manager asks for it; a worker prints it."""
    asked = await house.post(f"/collections/customers/{customer.id}/dossiers", {"suspension_id": suspension_id}, "marta.zelaya")
    return await house.get(f"/collections/dossiers/{asked['id']}", "marta.zelaya")


async def verified(house: TestHouse, file: bytes) -> Any:
    answer = await house.as_("rosa.caceres").post("/collections/dossiers/verify", content=file, headers={"content-type": "application/pdf"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def words(file: bytes) -> str:
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO(file)).pages)
    return " ".join(text.replace("\u200b", "").split())


def mails_of(content: Any, notice: str) -> list[Any]:
    """The mails of a notice that their receivers' servers took."""
    mails = [each["data"] for each in content["happenings"] if each["type"] == "notifier.message_accepted.v1"]
    return [mail for mail in mails if mail["notice"] == notice]
