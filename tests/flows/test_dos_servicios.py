"""A customer with two services, one that the company delivers and one that third parties do."""

from tests.flows.stories import Customer, told
from tests.flows.test_desconexion_dx import text_of
from tests.flows.test_equipos_apagados import OFF
from tests.flows.test_recoger_mes import PIECES, Case
from tests.support.house import TestHouse
from tests.support.rules import rule

MAPPING = """
source: crm
dates: ["%Y-%m-%d"]
customer: {external_id: codigo, name: nombre, agent: gestor}
contract: {start: inicio}
contacts:
  - {role: {constant: administrativo}, name: nombre, email: correo}
services:
  - {code: {constant: internet}, plan: {constant: dedicado_20}, amount: {constant: "600.00"}, delivery: {constant: own}, login: propio}
  - code: {constant: enlace}
    plan: {constant: dedicado_20}
    amount: {constant: "300.00"}
    delivery: {constant: third_party}
    login: tercero
opening: {status: {constant: CLIENTE VIP}, last_billed: {constant: 2026-02}}
"""
HEADER = "codigo,nombre,gestor,inicio,correo,propio,tercero"
BOOK = f"{HEADER}\nM-1,Ingenio Mixto,ana.martinez,2025-01-01,pagos@ingenio.example,m-propio,m-tercero\n"


async def both(house: TestHouse) -> Customer:
    """The sugar mill with its two lines, warned on the 26th of March."""
    report = await house.import_file(BOOK, MAPPING)
    assert (report["rows_new"], report["rows_bad"]) == (1, 0), report
    (account,) = (await house.get("/collections/customers", external_id="M-1"))["items"]
    mine = Customer(house, account["customer_id"], "ana.martinez")
    await house.until("2026-03-26T09:00")
    await mine.does("suspension-notices", {})
    return mine


async def on(house: TestHouse) -> tuple[bool, bool]:
    return await house.is_on("m-propio"), await house.is_on("m-tercero")


@rule("VIP-14", "VIP-16", "VIP-17", "VIP-18")
async def test_both_ways_of_delivery_have_their_work(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await both(house)
    await house.until("2026-03-28T08:00")
    await mine.does("suspensions", {})

    # Ingeniería suspende con el proveedor lo que es de terceros, y VECONO lo propio, al completar: nada se suspende antes.
    assert await on(house) == (True, True)
    await mine.finishes("oscar.banegas", "confirmar", "Suspendido con el proveedor.")
    await mine.finishes("ana.martinez", "completar")
    assert await on(house) == (False, False)

    # El día 06 hay los cuatro trabajos, y el correo los dice.
    await house.until("2026-04-06T08:00")
    removal = Case(mine)
    assert await removal.open_steps() == {"desinstalar", "documentar_capacidad", "mover_capacidad", "caso_legal"}
    (mail,) = house.mails(to="ingenieria.sps", subject="RECOGER MES CLIENTE VIP")
    for said in ("Ingeniería documenta", "lo que se entregue directamente lo desinstala Recuperaciones", "siguen sin pagarse"):
        assert said in " ".join(text_of(mail).split()), said

    # La red avisa que apagó el equipo del tercero: Ventas tiene su plazo, y después nada se pide dos veces.
    seen = {"event": "equipment_off", "network_login": "m-tercero", "seen_at": "2026-04-06T07:55:00-06:00", "detail": "Sin señal"}
    await house.post("/ticketing/network-events", seen, "noc.turno")
    off = Case(mine, OFF)
    await off.ends("sofia.mejia", "recuperar_terceros", "lost", informe="No contesta.")
    assert await off.open_steps() == {"migrar"}
    await removal.schedules("rosa.caceres", "desinstalar", "2026-04-07")
    await removal.ends("rosa.caceres", "desinstalar", equipos=PIECES, firma={"name": "Julia Paz"})
    await removal.ends("diego.lopez", "mover_capacidad", tramite="Solicitud 77")
    await off.ends("oscar.banegas", "migrar", solicitud="Caso 88")
    assert (await off.ticket())["outcome"] == "closed"
    assert await removal.open_steps() == {"documentar_capacidad", "caso_legal"}


@rule("VIP-13", "VIP-21", "COB-1")
async def test_a_third_partys_service_that_is_left_out_is_not_asked_of_engineering(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await both(house)
    services = (await house.get(f"/billing/customers/{mine.id}"))["services"]
    (third,) = [each["id"] for each in services if each["delivery"] == "third_party"]
    hold = {"reason": "Atiende un hospital.", "owner": "marta.zelaya", "until": "2026-05-30T00:00:00-06:00", "service_id": third}
    await house.post(f"/collections/customers/{mine.id}/holds", hold, "marta.zelaya")

    # Lo que se suspende es solo lo propio: el gestor lo hace directamente, y Ingeniería no suspende con el proveedor lo excluido.
    await house.until("2026-03-28T08:00")
    await mine.does("suspensions", {})
    assert [each["kind"] for each in await mine.tickets()] == ["SUSPENSION CLIENTE VIP"]
    assert (await mine.status(), await on(house)) == ("SUSPENDIDO CLIENTE VIP", (False, True))

    # Reconectado, tampoco hace falta el proveedor.
    await mine.reports_payment()
    await mine.does("reconnections", {"basis": "payment"})
    assert (await mine.status(), await on(house)) == ("ACTIVO TEMPORAL PAGO", (True, True))
    assert told(house, "Plazo vencido") == set()
