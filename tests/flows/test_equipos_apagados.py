"""«SUSPENSION DE SERVICIO A CLIENTES VIP», hoja 3: el cliente apaga los equipos después de la suspensión.

October 2026 in Honduras: from Wednesday 7 to Friday 9 it is the Semana Morazánica. The service is cut on the sixth, so that RECOGER MES is
a month away: what happens when both come together is told in test_un_solo_trabajo.
"""

from tests.flows.books import vip
from tests.flows.stories import Customer, customers_of, told
from tests.flows.test_recoger_mes import PIECES, Case
from tests.support.house import TestHouse
from tests.support.rules import rule

OFF = "equipos_apagados_vip"
SEEN = {"apagado_desde": "2026-10-06", "detalle": "La ONT no responde; sin avería en el nodo."}


async def cut_in_october(house: TestHouse, delivery: str) -> Customer:
    """A VIP that was cut on the sixth of October and has not paid since March."""
    (mine,) = await customers_of(house, vip("C-1", "Hotel Copantl", delivery=delivery))
    await house.until("2026-10-04T09:00")
    await mine.does("suspension-notices", {})
    await house.until("2026-10-06T08:00")
    await mine.does("suspensions", {})
    if delivery == "third_party":
        await mine.finishes("oscar.banegas", "confirmar", "Suspendido con el proveedor.")
        await mine.finishes("ana.martinez", "completar")
    assert await mine.status() == "SUSPENDIDO CLIENTE VIP"
    return mine


async def informs(house: TestHouse, mine: Customer) -> Case:
    """Engineering informs that the equipment is off."""
    body = {"procedure": OFF, "customer_id": mine.id, "captured": SEEN}
    await house.post("/ticketing/tickets", body, "oscar.banegas")
    return Case(mine, OFF)


async def told_late(case: Case) -> set[str]:
    """Which desks were told that a deadline of this ticket ran out."""
    number = (await case.ticket())["number"]
    return told(case.of.house, f"Plazo vencido en el ticket n.º {number}:")


@rule("VIP-18")
async def test_third_party_sales_has_three_days_and_recoveries_five(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await cut_in_october(house, "third_party")
    await house.until("2026-10-06T09:00")
    refused = await house.as_("sofia.mejia").post("/ticketing/tickets", json={"procedure": OFF, "customer_id": mine.id, "captured": SEEN})
    assert refused.status_code == 403
    case = await informs(house, mine)

    # Ingeniería informará a Ventas, Recuperaciones, Cobros y Director de Proyectos; Ventas tiene 3 días hábiles: el 12, el 13 y el 14.
    assert told(house, "Equipos apagados") == {"ventas", "recuperaciones", "cobros", "director.proyectos"}
    assert await case.open_steps() == {"recuperar_terceros"}
    assert (await case.step("recuperar_terceros"))["deadline"] == "2026-10-15T06:00:00Z"
    again = await house.refused("/ticketing/tickets", {"procedure": OFF, "customer_id": mine.id, "captured": SEEN}, "oscar.banegas")
    assert "ya tiene abierto" in again["detail"]

    # El día 14 Ventas informa que no lo recuperó: Recuperaciones tiene 5 días hábiles desde que recibe la información.
    await house.until("2026-10-14T16:00")
    assert (await case.may_not_end("sofia.mejia", "recuperar_terceros", "lost"))["status"] == 409
    await case.ends("sofia.mejia", "recuperar_terceros", "lost", informe="Cambió de proveedor; atiende Julia Paz de 9 a 12.")
    assert await case.open_steps() == {"desinstalar_terceros", "migrar", "reubicar"}
    assert (await case.step("desinstalar_terceros"))["deadline"] == "2026-10-22T06:00:00Z"
    assert await told_late(case) == set()

    # Ingeniería solicita la migración del ancho de banda; el Director de Proyectos gestiona la reubicación con el proveedor.
    await case.ends("oscar.banegas", "migrar", solicitud="Caso 88-2041")
    await case.ends("diego.lopez", "reubicar", reubicacion="Choloma")

    # Los cinco días pasan sin desinstalar: se informa a Gerencia y nadie lo da por hecho.
    await house.until("2026-10-22T08:00")
    assert await told_late(case) == {"gerente.cobros"}
    assert await case.open_steps() == {"desinstalar_terceros"}

    # Desinstalado, Cobros recibe la información de recuperación para el Área Legal, y el caso termina.
    assert (await case.schedules("rosa.caceres", "desinstalar_terceros", "2026-10-23")).status_code == 200
    await case.ends("rosa.caceres", "desinstalar_terceros", equipos=PIECES, firma={"name": "Julia Paz"}, comentario="Se retiró todo.")
    assert await case.tasks_of("ana.martinez") == {"area_legal"}
    await case.ends("ana.martinez", "area_legal", expediente="Legal 4", comentario="Debe desde marzo.")
    assert (await case.ticket())["outcome"] == "closed"


@rule("VIP-18")
async def test_sales_days_run_out_in_the_morazan_week(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await cut_in_october(house, "third_party")
    await house.until("2026-10-06T09:00")
    case = await informs(house, mine)
    await house.until("2026-10-14T23:59")
    assert await case.open_steps() == {"recuperar_terceros"}

    # Nadie de Ventas contestó: el caso sigue solo como no recuperado, con sus plazos, y su Gerente lo sabe.
    await house.until("2026-10-15T08:00")
    assert await case.open_steps() == {"desinstalar_terceros", "migrar", "reubicar"}
    sales = await case.step("recuperar_terceros")
    assert (sales["outcome"], sales["finished_by"], sales["late"]) == ("lost", "sistema", True)
    assert await told_late(case) == {"gerente.ventas"}
    assert (await case.step("desinstalar_terceros"))["deadline"] == "2026-10-23T06:00:00Z"
    assert (await case.may_not_end("sofia.mejia", "recuperar_terceros", "recovered", acuerdo="Vuelve"))["rule"] == "VIP-18"


@rule("VIP-18")
async def test_sales_wins_the_customer_back(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await cut_in_october(house, "third_party")
    await house.until("2026-10-06T09:00")
    case = await informs(house, mine)
    await case.ends("sofia.mejia", "recuperar_terceros", "recovered", acuerdo="Paga el 12 y enciende los equipos.")
    assert (await case.ticket())["outcome"] == "recovered"
    await house.until("2026-10-20T08:00")
    assert await told_late(case) == set()


@rule("VIP-19")
async def test_own_infrastructure_without_days_nor_bandwidth(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await cut_in_october(house, "own")
    await house.until("2026-10-06T09:00")
    case = await informs(house, mine)

    # Ingeniería informa a Ventas, Recuperaciones y Cobros; el documento no da plazos ni trabajo de ancho de banda.
    assert told(house, "Equipos apagados") == {"ventas", "recuperaciones", "cobros"}
    await house.until("2026-10-30T09:00")
    assert await case.open_steps() == {"recuperar_propio"}
    assert (await case.step("recuperar_propio"))["deadline"] is None
    await case.ends("sofia.mejia", "recuperar_propio", "lost", informe="Cerró el negocio.")
    assert await case.open_steps() == {"desinstalar_propio"}
    await case.ends("rosa.caceres", "desinstalar_propio", "impossible", motivo="Local cerrado.", comentario="Sin acceso al local.")
    await case.ends("ana.martinez", "area_legal", expediente="Legal 5", comentario="Debe desde marzo.")
    assert (await case.ticket())["outcome"] == "closed"
    assert await told_late(case) == set()


@rule("VIP-18", "VIP-19")
async def test_the_network_tells_it_too_and_only_of_the_suspended(courier_house: TestHouse) -> None:
    house = courier_house
    mine, other = await customers_of(house, vip("C-1", "Hotel Copantl"), vip("C-2", "Minera Quita Sueño"))
    await mine.is_cut_after_the_notice()
    seen = {"event": "equipment_off", "network_login": "c-1", "seen_at": "2026-03-29T15:04:00-06:00", "detail": "ONT sin luz"}
    await house.until("2026-03-29T15:05")
    assert (await house.as_("ana.martinez").post("/ticketing/network-events", json=seen)).status_code == 403
    told_once = await house.post("/ticketing/network-events", seen, "noc.turno")
    assert [each["kind"] for each in told_once["opened"]] == ["EQUIPOS APAGADOS CLIENTE VIP"]
    ticket = await Case(mine, OFF).ticket()
    (fact,) = [each for each in ticket["facts"] if each["name"] == "network_event"]
    assert fact["text"] == "ONT sin luz (c-1, 29/03/2026 15:04)"

    # Lo mismo otra vez, o de quien no está suspendido, o de nadie, no empieza nada.
    assert (await house.post("/ticketing/network-events", {**seen, "detail": "Sigue"}, "noc.turno"))["opened"] == []
    assert (await house.post("/ticketing/network-events", {**seen, "network_login": "c-2"}, "noc.turno"))["opened"] == []
    assert await other.tickets() == []
    stranger = await house.as_("noc.turno").post("/ticketing/network-events", json={**seen, "network_login": "x"})
    assert stranger.status_code == 404
    by_hand = await house.refused("/ticketing/tickets", {"procedure": OFF, "customer_id": other.id, "captured": SEEN}, "oscar.banegas")
    assert by_hand["rule"] == "VIP-18"

    # Si paga, no hay nada más que hacer; y de quien pagó y espera la reconexión nadie dice a Ventas que lo recupere.
    await mine.reports_payment()
    assert (await Case(mine, OFF).ticket())["outcome"] == "paid"
    assert (await house.post("/ticketing/network-events", {**seen, "detail": "Otra vez"}, "noc.turno"))["opened"] == []
    paid = await house.refused("/ticketing/tickets", {"procedure": OFF, "customer_id": mine.id, "captured": SEEN}, "oscar.banegas")
    assert (paid["rule"], "ya reportó el pago" in paid["detail"]) == ("VIP-18", True)


@rule("VIP-18", "VIP-16")
async def test_who_came_suspended_from_another_system_may_switch_it_off_too(courier_house: TestHouse) -> None:
    house = courier_house
    (mine,) = await customers_of(
        house, vip("C-1", "Hotel Copantl", delivery="third_party").replace("CLIENTE VIP", "SUSPENDIDO CLIENTE VIP")
    )
    assert await mine.status() == "SUSPENDIDO CLIENTE VIP"
    await house.until("2026-03-02T09:00")
    seen = {"apagado_desde": "2026-03-02", "detalle": "Sin señal."}
    await house.post("/ticketing/tickets", {"procedure": OFF, "customer_id": mine.id, "captured": seen}, "oscar.banegas")
    assert await Case(mine, OFF).open_steps() == {"recuperar_terceros"}
