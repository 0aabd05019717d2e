"""A VIP asks to leave: the formal notice, Collections' look-up, the adviser's three business days, Recoveries', and what follows.

April 2026 in Honduras: Thursday 2 and Friday 3 are Holy Week, Tuesday 14 is the Day of the Americas.
"""

from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.db import rows
from tests.flows.stories import Customer, told
from tests.notifier.peers import mail_server
from tests.support.house import TestHouse, open_test_house
from tests.support.rules import rule

LETTER = b"%PDF-1.7\n% carta de Hotel Copan\n" + bytes(range(256)) * 2_000
MAIL = (
    b"From: gerencia@minera.example\r\nDate: Fri, 10 Apr 2026 18:40:00 -0600\r\nSubject: Baja del servicio\r\n\r\nSolicitamos la baja.\r\n"
)
MAPPING = """
source: crm
dates: ["%Y-%m-%d"]
customer: {external_id: codigo, name: nombre, agent: gestor}
contract: {start: inicio, end: fin}
contacts:
  - {role: {constant: administrativo}, name: nombre, email: correo, phone: telefono}
services:
  - {code: {constant: internet}, plan: plan, amount: precio, delivery: entrega, login: usuario, node: nodo}
opening: {status: estado, last_billed: facturado}
"""
HEADER = "codigo,nombre,gestor,inicio,fin,correo,telefono,plan,precio,entrega,usuario,nodo,estado,facturado"
AGREED = {"informado": True, "acuerdo": "downgrade", "plan_nuevo": "corporativo_50", "desde": "2026-04-20", "informe": "Baja a 50 Mbps."}
LOST = {"informado": True, "ofrecido": "20 % de descuento por un año.", "justificacion": "Nos mudamos a otra ciudad."}


@dataclass
class Leaving(Customer):
    """A customer of a story that wants to leave."""

    async def writes(self, content: bytes, name: str, person: str = "elena.paz") -> dict[str, Any]:
        """The formal notice is stored as it came."""
        query: dict[str, Any] = {"customer_id": self.id, "name": name}
        response = await self.house.as_(person).post("/ticketing/documents", params=query, content=content)
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def asks_to_leave(self, received: str, content: bytes = LETTER, name: str = "carta.pdf") -> Any:
        """Customer Service registers the notice that was received on this day."""
        notice = await self.writes(content, name)
        return await self.house.post("/ticketing/tickets", self.request(received, notice["id"]), "elena.paz")

    def request(self, received: str, notice: str) -> dict[str, Any]:
        captured = {"recibido_el": received, "medio": "carta", "notificacion": notice}
        return {"procedure": "solicitud_dx_vip", "customer_id": self.id, "captured": captured}

    async def ticket(self, procedure: str) -> Any:
        """The customer's ticket of this procedure, whole."""
        (found,) = [each for each in await self.tickets() if each["procedure"] == procedure]
        return await self.house.get(f"/ticketing/tickets/{found['id']}")

    async def tries(self, person: str, procedure: str, step: str, outcome: str = "done", **captured: Any) -> httpx.Response:
        """Somebody finishes a step with these fields, or tries to."""
        ticket = await self.ticket(procedure)
        response = await self.house.as_(person).post(
            f"/ticketing/tickets/{ticket['id']}/steps/{step}/finish",
            json={"outcome": outcome, "captured": captured},
            headers={"If-Match": f'"{ticket["version"]}"'},
        )
        await self.house.settle()
        return response

    async def ends(self, person: str, procedure: str, step: str, outcome: str = "done", **captured: Any) -> Any:
        response = await self.tries(person, procedure, step, outcome, **captured)
        assert response.status_code == 200, response.text
        return response.json()

    async def plan_in_the_network(self) -> str | None:
        """At the speed of which plan is the service, as the simulated network knows it?"""
        house = self.house
        assert isinstance(house, TestHouse)
        async with house.house.runtimes["ticketing"].database.transaction() as session:
            found = await rows(session, "SELECT plan FROM simulated_service WHERE login = 'c-dx'")
        return found[0].plan if found else None


async def leaving(house: TestHouse, *, delivery: str = "own", until: str = "2026-04-13T09:00") -> Leaving:
    """Hotel Copán, whose contract ends in December, in April with March and April unpaid."""
    row = "C-DX,Hotel Copán,ana.martinez,2025-01-01,2026-12-31,pagos@copan.example,+50425501800,dedicado_20,600.00"
    report = await house.import_file(f"{HEADER}\n{row},{delivery},c-dx,SPS-NORTE-1,CLIENTE VIP,2026-02\n", MAPPING)
    assert (report["rows_new"], report["rows_bad"]) == (1, 0), report
    (account,) = (await house.get("/collections/customers", external_id="C-DX"))["items"]
    await house.until(until)
    return Leaving(house, account["customer_id"], "ana.martinez")


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def step(ticket: Any, code: str) -> Any:
    return [each for each in ticket["steps"] if each["code"] == code][-1]


@rule("VIP-25", "VIP-26", "VIP-27")
async def test_a_letter_that_came_on_a_friday_evening(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await leaving(house)

    # Se recibió el viernes 10 a las 18:40; Servicio al Cliente la registra el lunes. El NOC no abre solicitudes; sin carta no hay ticket.
    notice = await mine.writes(LETTER, "../carta<1>.html")
    assert (notice["media_type"], notice["name"], notice["size"]) == ("application/pdf", "carta1.html.pdf", len(LETTER))
    body = mine.request("2026-04-10", notice["id"])
    assert (await house.as_("noc.turno").post("/ticketing/tickets", json=body)).status_code == 403
    missing = await house.refused("/ticketing/tickets", {**body, "captured": {"recibido_el": "2026-04-10"}}, "elena.paz")
    assert missing["rule"] == "VIP-25"
    assert "La notificación formal del cliente" in missing["detail"]
    late = await house.as_("elena.paz").post("/ticketing/tickets", json=mine.request("2026-04-14", notice["id"]))
    assert late.status_code == 422, late.text
    opened = await house.post("/ticketing/tickets", body, "elena.paz")
    assert (opened["kind"], opened["requested_by"], opened["agent"]) == ("SOLICITUD DX CLIENTE VIP", "elena.paz", "ana.martinez")
    assert told(house, "Solicitud de DX") == {"cobros", "ventas"}
    again = await house.refused("/ticketing/tickets", body, "elena.paz")
    assert f"n.º {opened['number']}" in again["detail"]

    # La carta se guardó tal cual y se descarga, nunca se muestra como página.
    stored = await house.as_("sofia.mejia").get(f"/ticketing/documents/{notice['id']}/content")
    assert stored.content == LETTER
    assert stored.headers["content-disposition"].startswith("attachment")
    assert stored.headers["x-content-type-options"] == "nosniff"
    assert (await house.as_("noc.turno").get(f"/ticketing/documents/{notice['id']}/content")).status_code == 403

    # Cobros confirma lo que el sistema anotó; si cambió entretanto, no se confirma a ciegas.
    looked_up = step(opened, "consultar")["filled"]
    assert looked_up["contrato_vence"]["value"] == "2026-12-31"
    assert looked_up["saldo"]["value"] == {"amount": "1380.00", "currency": "USD"}
    await mine.reports_payment()
    stale = await mine.tries("ana.martinez", "solicitud_dx_vip", "consultar")
    assert stale.status_code == 422
    assert "690.00" in stale.text
    await mine.ends("ana.martinez", "solicitud_dx_vip", "consultar", saldo={"amount": "690.00", "currency": "USD"})
    assert told(house, "contrato y saldos") == {"ventas"}

    # El asesor ve contrato, saldos y contactos en el ticket, y tiene hasta el jueves 16: ni el viernes ni el martes 14 cuentan.
    ticket = await mine.ticket("solicitud_dx_vip")
    assert step(ticket, "negociar")["deadline"] == "2026-04-17T06:00:00Z"
    assert (ticket["customer"]["contract_end"], ticket["customer"]["owed"]["amount"]) == ("2026-12-31", "690.0000")
    assert ticket["customer"]["contacts"][0]["phone"] == "+50425501800"
    await house.until("2026-04-16T23:59")
    assert not step(await mine.ticket("solicitud_dx_vip"), "negociar")["late"]

    # Nadie contestó en plazo: se informa a los gerentes y el paso sigue abierto; nadie se da por perdido porque un plazo terminó.
    await house.until("2026-04-17T08:00")
    negotiation = step(await mine.ticket("solicitud_dx_vip"), "negociar")
    assert (negotiation["late"], negotiation["state"]) == (True, "OPEN")
    assert told(house, "Plazo vencido") == {"gerente.ventas", "gerente.cobros"}


@rule("VIP-28")
async def test_won_back_by_the_adviser(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await leaving(house)
    await mine.asks_to_leave("2026-04-10", MAIL, "solicitud.eml")
    await mine.ends("ana.martinez", "solicitud_dx_vip", "consultar")

    # Sin informe, sin plan o con un plan que no existe no hay acuerdo; y lo de «no recuperado» no corresponde aquí.
    refused = await mine.tries("sofia.mejia", "solicitud_dx_vip", "negociar", "recovered", informado=True, acuerdo="upgrade")
    assert refused.status_code == 409
    assert refused.json()["rule"] == "VIP-27"
    wrong = await mine.tries("sofia.mejia", "solicitud_dx_vip", "negociar", "recovered", **{**AGREED, "plan_nuevo": "corporativo_5"})
    assert "corporativo_50" in wrong.text
    mixed = await mine.tries("sofia.mejia", "solicitud_dx_vip", "negociar", "recovered", **AGREED, justificacion="Nada")
    assert "no corresponde" in mixed.text
    await mine.ends("sofia.mejia", "solicitud_dx_vip", "negociar", "recovered", **AGREED)
    assert "facturacion" in told(house, "Acuerdo con")

    # Desde el lunes 20: hasta entonces la red no cambia nada, y ese día el ticket se cierra solo.
    await house.until("2026-04-19T23:00")
    assert await mine.plan_in_the_network() is None
    assert (await mine.ticket("solicitud_dx_vip"))["state"] == "open"
    await house.until("2026-04-20T08:00")
    ticket = await mine.ticket("solicitud_dx_vip")
    assert (ticket["state"], ticket["outcome"]) == ("closed", "recovered")
    assert await mine.plan_in_the_network() == "corporativo_50"
    (change,) = ticket["switches"]
    assert (change["action"], change["plan"], change["state"]) == ("change", "corporativo_50", "DONE")

    # Facturación cobra mayo por el plan nuevo.
    await house.until("2026-05-02T12:00")
    service = (await house.get(f"/billing/customers/{mine.id}"))["services"][0]
    assert service["plan_code"] == "corporativo_50"


@rule("VIP-28")
async def test_a_network_that_does_not_answer_leaves_the_agreement_open(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await leaving(house)
    await house.network_answers("c-dx", "unknown")
    await mine.asks_to_leave("2026-04-10")
    await mine.ends("ana.martinez", "solicitud_dx_vip", "consultar")
    await mine.ends("sofia.mejia", "solicitud_dx_vip", "negociar", "recovered", **{**AGREED, "desde": "2026-04-13"})
    await house.until("2026-04-13T20:00")
    assert told(house, "Cambio de plan sin resultado") == {"ingenieria.sps", "noc"}
    (change,) = (await mine.ticket("solicitud_dx_vip"))["switches"]
    assert change["state"] == "UNKNOWN"
    await house.post(f"/ticketing/switches/{change['id']}/resolve", {"outcome": "done", "detail": "Visto en el OLT"}, "oscar.banegas")
    assert (await mine.ticket("solicitud_dx_vip"))["outcome"] == "recovered"


@rule("VIP-28")
async def test_an_agreement_that_billing_refuses_stays_on_the_list_of_sales_until_somebody_settles_it(courier_house: TestHouse) -> None:
    """The adviser agreed on a day that is farther off than billing plans."""
    house, case = courier_house, "acuerdo_no_aplicado"
    mine = await leaving(house)
    await mine.asks_to_leave("2026-04-10")
    await mine.ends("ana.martinez", "solicitud_dx_vip", "consultar")
    await mine.ends("sofia.mejia", "solicitud_dx_vip", "negociar", "recovered", **{**AGREED, "desde": "2027-06-01"})
    assert told(house, "No se pudo aplicar") == {"facturacion", "ventas", "gerente.ventas"}
    ticket, asked = await mine.ticket(case), await mine.ticket("solicitud_dx_vip")
    assert (ticket["parent_id"], asked["outcome"]) == (asked["id"], "not_applied")
    assert [each["state"] for each in asked["switches"]] == ["CANCELLED"], "the network does not change what is not sold"
    known = {each["name"]: each["text"] for each in ticket["facts"]}
    assert "no puede cambiar desde el 2027-06-01" in known["refusal"] and known["informe"] == "Baja a 50 Mbps."
    tasks = (await house.get("/ticketing/tasks", "sofia.mejia"))["items"]
    assert [(each["step"], each["ticket_id"]) for each in tasks] == [("resolver", ticket["id"])]

    # Ventas corrige el acuerdo: la red y la facturación lo aplican.
    right = {"acuerdo_corregido": "downgrade", "plan_corregido": "corporativo_50", "desde_corregido": "2026-04-20", "detalle": "Este mes."}
    await mine.ends("sofia.mejia", case, "resolver", "corrected", **right)
    states = [each["state"] for each in (await house.get("/billing/agreements", customer_id=mine.id))["items"]]
    assert states == ["REFUSED", "CARRIED_OUT"]
    await house.until("2026-04-20T01:00")
    assert ((await mine.ticket(case))["outcome"], await mine.plan_in_the_network()) == ("told", "corporativo_50")


@rule("VIP-28")
@pytest.mark.parametrize("agreed", ["upgrade", "other"])
async def test_of_third_parties_engineering_asks_the_provider_first(courier_house: TestHouse, agreed: str) -> None:
    house = courier_house
    mine = await leaving(house, delivery="third_party")
    await mine.asks_to_leave("2026-04-10")
    await mine.ends("ana.martinez", "solicitud_dx_vip", "consultar")
    what = {**AGREED, "acuerdo": agreed, "desde": "2026-04-13", "plan_nuevo": "dedicado_100"}
    if agreed == "other":
        del what["plan_nuevo"]
    ticket = await mine.ends("sofia.mejia", "solicitud_dx_vip", "negociar", "recovered", **what)
    if agreed == "upgrade":
        assert ticket["switches"] == []
        await mine.ends("oscar.banegas", "solicitud_dx_vip", "cambiar_proveedor", comentario="Subido por el proveedor, caso 91.")
    assert (await mine.ticket("solicitud_dx_vip"))["outcome"] == "recovered"


async def _lost_by_the_adviser(mine: Leaving) -> Any:
    await mine.asks_to_leave("2026-03-31")
    await mine.ends("ana.martinez", "solicitud_dx_vip", "consultar")
    await mine.ends("sofia.mejia", "solicitud_dx_vip", "negociar", "lost", **LOST)
    return await mine.ticket("recuperacion_dx_vip")


@rule("VIP-29")
async def test_not_won_back_the_case_goes_to_recoveries(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await leaving(house, until="2026-04-01T10:00")
    recovery = await _lost_by_the_adviser(mine)
    first = await mine.ticket("solicitud_dx_vip")
    assert (first["state"], first["outcome"], [each["id"] for each in first["started"]]) == ("closed", "to_recoveries", [recovery["id"]])
    assert recovery["parent_id"] == first["id"]
    known = {each["name"]: each["text"] for each in recovery["facts"]}
    assert known["ofrecido"] == "20 % de descuento por un año."
    assert known["justificacion"] == "Nos mudamos a otra ciudad."
    assert (known["saldo"], known["recibido_el"]) == ("$1,380.00", "31 de marzo de 2026")
    (mail,) = house.mails(to="recuperaciones", subject="Para recuperar")
    assert "Nos mudamos a otra ciudad." in text_of(mail)

    # Recibido el miércoles 1: jueves y viernes santos no cuentan; hasta el miércoles 8.
    assert step(recovery, "recuperar")["deadline"] == "2026-04-09T06:00:00Z"
    refused = await mine.tries("sofia.mejia", "recuperacion_dx_vip", "recuperar", "lost")
    assert refused.json()["rule"] == "VIP-29"

    # Cumplido el plazo nadie se desinstala solo.
    await house.until("2026-04-09T08:00")
    found = step(await mine.ticket("recuperacion_dx_vip"), "recuperar")
    assert (found["late"], found["state"]) == (True, "OPEN")
    assert told(house, "Plazo vencido") == {"gerente.ventas", "gerente.cobros"}


@rule("VIP-30")
async def test_won_back_by_recoveries(courier_house: TestHouse) -> None:
    mine = await leaving(courier_house, until="2026-04-01T10:00")
    await _lost_by_the_adviser(mine)
    what = {"acuerdo": "upgrade", "plan_nuevo": "dedicado_100", "desde": "2026-04-01", "informe": "Sube a 100 Mbps por el mismo precio."}
    await mine.ends("rosa.caceres", "recuperacion_dx_vip", "recuperar", "recovered", **what)
    assert (await mine.ticket("recuperacion_dx_vip"))["outcome"] == "recovered"
    assert await mine.plan_in_the_network() == "dedicado_100"
    assert told(courier_house, "Se retira el servicio") == set()


@rule("VIP-30")
@pytest.mark.parametrize(
    ("delivery", "works"),
    [("own", {"desinstalar", "caso_legal"}), ("third_party", {"documentar_capacidad", "mover_capacidad", "caso_legal"})],
)
async def test_not_won_back_by_recoveries_the_service_is_taken_away(courier_house: TestHouse, delivery: str, works: set[str]) -> None:
    house = courier_house
    mine = await leaving(house, delivery=delivery, until="2026-04-01T10:00")
    await _lost_by_the_adviser(mine)
    final = {"ofrecido_recuperaciones": "Dos meses gratis.", "justificacion_final": "La decisión está tomada."}
    await mine.ends("rosa.caceres", "recuperacion_dx_vip", "recuperar", "lost", **final)
    assert told(house, "Se retira el servicio") == {"ventas", "ingenieria.sps", "cobros", "director.proyectos"}
    (mail,) = house.mails(to="director.proyectos", subject="Se retira el servicio")
    assert "La decisión está tomada." in text_of(mail)
    removal = await mine.ticket("retiro_servicio_vip")
    assert removal["parent_id"] == (await mine.ticket("recuperacion_dx_vip"))["id"]
    assert {each["code"] for each in removal["steps"] if each["state"] == "OPEN"} == works

    # Quien se va y paga lo que debe, se va igual.
    await mine.reports_payment()
    await mine.reports_payment(period="2026-04")
    assert (await mine.ticket("retiro_servicio_vip"))["state"] == "open"


@rule("VIP-30")
async def test_a_desk_without_a_working_address_keeps_it_from_nobody_else(databases: dict[str, str], tmp_path: Path) -> None:
    """The mail server knows no such mailbox: the other three are told, the failure is there to see, and the work begins all the same."""
    async with mail_server() as peer, open_test_house(databases, tmp_path, smtp_url=peer.url) as house:
        mine = await leaving(house, until="2026-04-01T10:00")
        await _lost_by_the_adviser(mine)
        peer.recipients.clear()
        peer.rcpt = ["550 5.1.1 No such mailbox"]
        final = {"ofrecido_recuperaciones": "Nada más.", "justificacion_final": "Se va."}
        await mine.ends("rosa.caceres", "recuperacion_dx_vip", "recuperar", "lost", **final)
        four = {f"{each}@redsula.example" for each in ("ventas", "ingenieria.sps", "cobros", "director.proyectos")}
        assert len(four & set(peer.recipients)) == 3
        (message,) = (await house.get("/notifier/messages", notice="dx_no_recuperado"))["items"]
        states = [each["state"] for each in (await house.get(f"/notifier/messages/{message['id']}"))["deliveries"]]
        assert sorted(states) == ["ACCEPTED", "ACCEPTED", "ACCEPTED", "FAILED"]
        assert (await mine.ticket("retiro_servicio_vip"))["state"] == "open"
