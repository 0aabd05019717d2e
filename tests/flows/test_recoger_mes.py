"""«SUSPENSION DE SERVICIO A CLIENTES VIP», hoja 2: el día 06 del mes siguiente, y los cuatro trabajos que siguen."""

from dataclasses import dataclass
from typing import Any

from tests.flows.books import vip
from tests.flows.stories import Customer, customers_of, told
from tests.support.house import TestHouse
from tests.support.rules import rule

FOUR_DESKS = {"ventas", "ingenieria.sps", "cobros", "director.proyectos"}
PIECES = [{"code": "ONT-01", "description": "Router óptico", "serial": "48575443A1B2", "condition": "bueno"}]
RETIREMENT = "retiro_servicio_vip"


@dataclass
class Case:
    """A customer's open ticket of one procedure, and what people do in it."""

    of: Customer
    procedure: str = RETIREMENT

    async def ticket(self) -> Any:
        (found,) = [each for each in await self.of.tickets() if each["procedure"] == self.procedure]
        return await self.of.house.get(f"/ticketing/tickets/{found['id']}")

    async def open_steps(self) -> set[str]:
        return {each["code"] for each in (await self.ticket())["steps"] if each["state"] == "OPEN"}

    async def step(self, code: str) -> Any:
        return [each for each in (await self.ticket())["steps"] if each["code"] == code][-1]

    async def ends(self, person: str, step: str, outcome: str = "done", **captured: Any) -> Any:
        """Somebody finishes a step with these fields."""
        ticket = await self.ticket()
        path = f"/ticketing/tickets/{ticket['id']}/steps/{step}/finish"
        return await self.of.house.post(path, {"outcome": outcome, "captured": captured}, person, if_match=f'"{ticket["version"]}"')

    async def may_not_end(self, person: str, step: str, outcome: str = "done", **captured: Any) -> Any:
        """Somebody tries to, and is refused: the problem."""
        ticket = await self.ticket()
        path, headers = f"/ticketing/tickets/{ticket['id']}/steps/{step}/finish", {"If-Match": f'"{ticket["version"]}"'}
        response = await self.of.house.as_(person).post(path, json={"outcome": outcome, "captured": captured}, headers=headers)
        assert response.status_code in (403, 409, 422), response.text
        return response.json()

    async def schedules(self, person: str, step: str, day: str, *, opens: str = "09:00", closes: str = "11:00") -> Any:
        """The appointment of a work order, or what is wrong with it."""
        ticket = await self.ticket()
        body = {"day": day, "opens": opens, "closes": closes, "technician": "Wilmer Antúnez"}
        path = f"/ticketing/tickets/{ticket['id']}/steps/{step}/appointment"
        response = await self.of.house.as_(person).post(path, json=body, headers={"If-Match": f'"{ticket["version"]}"'})
        await self.of.house.settle()
        return response

    async def tasks_of(self, person: str) -> set[str]:
        """The steps of this case on somebody's list."""
        ticket = await self.ticket()
        found = (await self.of.house.get("/ticketing/tasks", person))["items"]
        return {each["step"] for each in found if each["ticket_id"] == ticket["id"]}


async def suspended(house: TestHouse, *, delivery: str = "own", code: str = "C-1") -> Customer:
    """A VIP that was cut on the 28th of March."""
    (mine,) = await customers_of(house, vip(code, "Hotel Copantl", delivery=delivery))
    await mine.is_cut_after_the_notice()
    if delivery == "third_party":
        await mine.finishes("oscar.banegas", "confirmar", "Suspendido con el proveedor.")
        await mine.finishes("ana.martinez", "completar")
    assert await mine.status() == "SUSPENDIDO CLIENTE VIP"
    return mine


@rule("VIP-16", "VIP-17")
async def test_own_delivery_is_collected_in_the_field(courier_house: TestHouse) -> None:
    house = courier_house
    hotel = await suspended(house)

    # Si el Cliente NO realiza sus pagos su Estatus pasa a RECOGER MES CLIENTE VIP el día 06 del Mes siguiente; no antes.
    await house.until("2026-04-05T23:59")
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"
    following = (await hotel.explanation())["next"]
    assert any("RECOGER MES CLIENTE VIP" in each["text"] and each["rule"]["id"] == "VIP-16" for each in following)
    await house.until("2026-04-06T00:00")
    assert await hotel.status() == "RECOGER MES CLIENTE VIP"
    account = await hotel.account()
    assert account["status"]["rule"]["id"] == "VIP-16"

    # Recuperaciones informará vía correo a Ventas, Ingeniería, Cobros y Créditos y Director de Proyectos; una vez.
    assert told(house, "RECOGER MES CLIENTE VIP") == FOUR_DESKS
    assert len(house.mails(subject="RECOGER MES CLIENTE VIP")) == 4

    # Recuperaciones desinstala en campo y Cobros documenta el caso; por terceros no hay nada que hacer. Cada uno en la lista de su área.
    case = Case(hotel)
    ticket = await case.ticket()
    assert (ticket["kind"], ticket["desk"]) == ("RECOGER MES CLIENTE VIP", "recuperaciones")
    assert await case.open_steps() == {"desinstalar", "caso_legal"}
    assert await case.tasks_of("rosa.caceres") == {"desinstalar"}
    assert await case.tasks_of("ana.martinez") == {"caso_legal"}
    assert await case.tasks_of("oscar.banegas") == await case.tasks_of("diego.lopez") == set()
    assert (await case.may_not_end("diego.lopez", "mover_capacidad", tramite="x"))["detail"].endswith("no corresponde a este caso.")

    # La orden de trabajo: cita en día hábil (el 9 es Jueves, el 14 feriado), equipos, firma; y su papel.
    assert (await case.schedules("rosa.caceres", "desinstalar", "2026-04-14")).status_code == 422
    assert (await case.schedules("ana.martinez", "desinstalar", "2026-04-09")).status_code == 409
    early = await case.may_not_end("rosa.caceres", "desinstalar", equipos=PIECES, firma={"name": "Julia Paz"})
    assert early["rule"] == "VIP-17"
    assert "falta la cita" in early["detail"]
    agreed = await case.schedules("rosa.caceres", "desinstalar", "2026-04-09")
    assert agreed.status_code == 200, agreed.text
    order = await case.step("desinstalar")
    assert (order["work_order"], order["appointment"]["technician"]) == (f"OT-{ticket['number']}-1", "Wilmer Antúnez")
    await house.until("2026-04-09T12:00")
    unsigned = await case.may_not_end("rosa.caceres", "desinstalar", equipos=PIECES)
    assert "Firma del cliente" in unsigned["detail"]
    await case.ends("rosa.caceres", "desinstalar", equipos=PIECES, firma={"name": "Julia Paz", "identity": "0501-1980-01234"})
    paper = await house.as_("rosa.caceres").get(f"/ticketing/tickets/{ticket['id']}/steps/desinstalar/work-order")
    assert (paper.status_code, paper.headers["content-type"], paper.content[:5]) == (200, "application/pdf", b"%PDF-")

    # El caso se cierra cuando terminan todos sus trabajos; el estatus queda.
    assert (await case.ticket())["state"] == "open"
    await case.ends("ana.martinez", "caso_legal", expediente="Archivo 12", comentario="Debe marzo y abril.")
    closed = await case.ticket()
    assert (closed["state"], closed["outcome"]) == ("closed", "closed")
    assert await hotel.status() == "RECOGER MES CLIENTE VIP"
    await house.until("2026-05-10T09:00")
    assert len(house.mails(subject="RECOGER MES CLIENTE VIP")) == 4
    assert len([each for each in await hotel.tickets() if each["procedure"] == RETIREMENT]) == 1


@rule("VIP-16", "VIP-17")
async def test_third_party_delivery_moves_the_capacity(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await suspended(house, delivery="third_party")
    await house.until("2026-04-06T08:00")
    case = Case(mine)
    assert await case.open_steps() == {"documentar_capacidad", "mover_capacidad", "caso_legal"}
    assert await case.tasks_of("oscar.banegas") == {"documentar_capacidad"}
    assert await case.tasks_of("diego.lopez") == {"mover_capacidad"}
    assert await case.tasks_of("rosa.caceres") == set()

    # Nadie lo hizo en cinco días hábiles (el martes 14 no cuenta): se informa a Gerencia y los trabajos siguen abiertos.
    assert (await case.step("documentar_capacidad"))["deadline"] == "2026-04-14T06:00:00Z"
    await house.until("2026-04-14T08:00")
    assert told(house, "Plazo vencido") == {"gerente.cobros"}
    assert len(house.mails(subject="Plazo vencido")) == 3
    assert (await case.step("mover_capacidad"))["late"]

    # Los trabajos terminan en cualquier orden.
    await case.ends("diego.lopez", "mover_capacidad", tramite="Solicitud 77 al proveedor")
    await case.ends("ana.martinez", "caso_legal", expediente="Archivo 13", comentario="Debe marzo.")
    assert (await case.ticket())["state"] == "open"
    await case.ends("oscar.banegas", "documentar_capacidad", capacidad="20 Mbps", zona="Choloma")
    assert (await case.ticket())["outcome"] == "closed"


@rule("VIP-16", "VIP-20")
async def test_who_pays_meanwhile_is_not_collected_any_more(courier_house: TestHouse) -> None:
    house = courier_house
    hotel = await suspended(house)
    await house.until("2026-04-06T08:00")
    case = Case(hotel)
    assert await case.open_steps() == {"desinstalar", "caso_legal"}

    # Un pago reportado ya cuenta: el caso se cierra como pagado y el cliente espera la reconexión en SUSPENDIDO CLIENTE VIP.
    payment = await hotel.reports_payment()
    closed = await case.ticket()
    assert (closed["state"], closed["outcome"]) == ("closed", "paid")
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"

    # El banco lo rechaza: sigue sin pagar, y el caso vuelve a Recuperaciones con otro ticket.
    await house.post(f"/billing/payments/{payment['id']}/reject", {"reason": "Sin fondos"}, "ines.reyes")
    assert await hotel.status() == "RECOGER MES CLIENTE VIP"
    again = [each for each in await hotel.tickets() if each["procedure"] == RETIREMENT]
    assert sorted(each["state"] for each in again) == ["closed", "open"]

    # Con un acuerdo se reconecta, y reconectado ya no hay nada que recoger.
    await hotel.agrees_plan(("2026-04-15T17:00", "690.00"), ("2026-04-30T17:00", "690.00"))
    await hotel.does("reconnections", {"basis": "payment_plan"})
    assert await hotel.status() == "PLAN DE PAGO COBROS"
    assert {each["outcome"] for each in await hotel.tickets() if each["procedure"] == RETIREMENT} == {"paid"}


@rule("VIP-16")
async def test_who_reported_the_payment_or_has_an_agreement_by_the_sixth_is_left_alone(courier_house: TestHouse) -> None:
    house = courier_house
    paid, agreed = await customers_of(house, vip("C-1", "Hotel Copantl"), vip("C-2", "Minera Quita Sueño"))
    await paid.is_cut_after_the_notice()
    await agreed.does("suspension-notices", {})
    await house.until("2026-03-29T09:00")
    await agreed.does("suspensions", {})
    await house.until("2026-04-05T23:50")
    await paid.reports_payment()
    await agreed.promises("2026-04-10T17:00")
    await house.until("2026-04-09T09:00")
    assert await paid.status() == await agreed.status() == "SUSPENDIDO CLIENTE VIP"
    assert told(house, "RECOGER MES CLIENTE VIP") == set()

    # El compromiso no se cumple: en ese momento, con el día 6 pasado, el caso pasa a Recuperaciones.
    await house.until("2026-04-10T17:01")
    assert await agreed.status() == "RECOGER MES CLIENTE VIP"
    assert await paid.status() == "SUSPENDIDO CLIENTE VIP"


@rule("VIP-16")
async def test_a_provider_that_confirms_only_after_the_sixth(courier_house: TestHouse) -> None:
    house = courier_house
    (mine,) = await customers_of(house, vip("C-7", "Camaronera Bahía Azul", delivery="third_party"))
    await mine.is_cut_after_the_notice()

    # Quien no está suspendido no pasa a RECOGER MES, por mucho que deba; suspendido el 8 de abril, le toca el 6 de mayo.
    await house.until("2026-04-07T09:00")
    assert await mine.status() == "CLIENTE VIP"
    await house.until("2026-04-08T09:00")
    await mine.finishes("oscar.banegas", "confirmar", "Suspendido con el proveedor.")
    await mine.finishes("ana.martinez", "completar")
    assert await mine.status() == "SUSPENDIDO CLIENTE VIP"
    await house.until("2026-05-05T23:59")
    assert await mine.status() == "SUSPENDIDO CLIENTE VIP"
    await house.until("2026-05-06T00:01")
    assert await mine.status() == "RECOGER MES CLIENTE VIP"
