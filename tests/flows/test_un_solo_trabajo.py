"""A customer in two procedures at once: what both ask for is done once, in the ticket that had it first.

«SUSPENSION DE SERVICIO A CLIENTES VIP», hojas 2 y 3: the sixth day and the equipment that is switched off; and who asks to leave besides.
"""

from typing import Any

from tests.flows.stories import Customer, told
from tests.flows.test_desconexion_dx import LETTER, LOST, Leaving, text_of
from tests.flows.test_equipos_apagados import OFF
from tests.flows.test_recoger_mes import FOUR_DESKS, PIECES, RETIREMENT, Case, suspended
from tests.support.house import TestHouse
from tests.support.rules import rule

SIGNED: dict[str, Any] = {"equipos": PIECES, "firma": {"name": "Julia Paz"}}
LEGAL: dict[str, Any] = {"expediente": "Archivo 12", "comentario": "Debe marzo."}


async def switched_off(house: TestHouse, mine: Customer, day: str) -> Case:
    """Engineering informs on this day at nine."""
    await house.until(f"{day}T09:00")
    seen = {"apagado_desde": day, "detalle": "La ONT no responde."}
    await house.post("/ticketing/tickets", {"procedure": OFF, "customer_id": mine.id, "captured": seen}, "oscar.banegas")
    return Case(mine, OFF)


async def number(case: Case) -> int:
    return int((await case.ticket())["number"])


@rule("VIP-16", "VIP-17", "VIP-19")
async def test_the_sixth_day_comes_while_sales_talks_to_who_switched_it_off(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await suspended(house)
    off = await switched_off(house, mine, "2026-04-04")

    # El día 06 pasa a RECOGER MES, con su correo y sus trabajos; Ventas sigue con su gestión.
    await house.until("2026-04-06T08:00")
    removal = Case(mine)
    assert await mine.status() == "RECOGER MES CLIENTE VIP"
    assert told(house, "RECOGER MES CLIENTE VIP") == FOUR_DESKS
    assert await removal.open_steps() == {"desinstalar", "caso_legal"}
    assert await off.open_steps() == {"recuperar_propio"}

    # Ventas no lo recupera: su información va a Recuperaciones, que ya tiene la orden; nadie recibe otra por los mismos equipos.
    await off.ends("sofia.mejia", "recuperar_propio", "lost", informe="Cerró el local; las llaves las tiene Julia Paz.")
    assert await off.open_steps() == set()
    (mail,) = house.mails(to="recuperaciones", subject="Para desinstalar")
    assert "las llaves las tiene Julia Paz" in text_of(mail)
    held = await off.step("desinstalar_propio")
    assert (held["state"], held["comment"]) == ("WAITING", f"Este trabajo ya está abierto en el ticket n.º {await number(removal)}.")
    refused = await off.may_not_end("rosa.caceres", "desinstalar_propio", **SIGNED, comentario="Listo")
    assert (refused["rule"], f"n.º {await number(removal)}" in refused["detail"]) == ("VIP-19", True)
    tasks = (await house.get("/ticketing/tasks", "rosa.caceres"))["items"]
    assert [each["step"] for each in tasks] == ["desinstalar"]

    # Desinstalado una vez, el caso de los equipos apagados termina; el expediente lo documenta Cobros una vez.
    await removal.schedules("rosa.caceres", "desinstalar", "2026-04-07")
    await removal.ends("rosa.caceres", "desinstalar", **SIGNED)
    assert ((await off.ticket())["outcome"], (await off.step("desinstalar_propio"))["state"]) == ("closed", "SKIPPED")
    await removal.ends("ana.martinez", "caso_legal", **LEGAL)
    assert (await removal.ticket())["outcome"] == "closed"


@rule("VIP-16", "VIP-17", "VIP-18")
async def test_third_party_work_that_was_done_before_the_sixth_is_not_asked_for_again(courier_house: TestHouse) -> None:
    house = courier_house
    mine = await suspended(house, delivery="third_party")
    off = await switched_off(house, mine, "2026-03-30")
    await off.ends("sofia.mejia", "recuperar_terceros", "lost", informe="Cambió de proveedor.")
    assert await off.open_steps() == {"desinstalar_terceros", "migrar", "reubicar"}
    await off.ends("diego.lopez", "reubicar", reubicacion="Choloma")

    # El día 06: la reubicación está hecha y no se pide otra; la capacidad se documenta, y el expediente se prepara aquí.
    await house.until("2026-04-06T08:00")
    removal = Case(mine)
    assert await removal.open_steps() == {"documentar_capacidad", "caso_legal"}
    done = await removal.step("mover_capacidad")
    assert (done["state"], done["comment"]) == ("SKIPPED", f"Este trabajo ya se hizo en el ticket n.º {await number(off)}.")

    # Desinstalado, el Área Legal espera al expediente que ya está abierto; terminado ese, no hay nada más.
    await off.schedules("rosa.caceres", "desinstalar_terceros", "2026-04-07")
    await off.ends("rosa.caceres", "desinstalar_terceros", **SIGNED, comentario="Se retiró todo.")
    await off.ends("oscar.banegas", "migrar", solicitud="Caso 88")
    assert [(each["code"], each["state"]) for each in (await off.ticket())["steps"]][-1] == ("area_legal", "WAITING")
    await removal.ends("ana.martinez", "caso_legal", **LEGAL)
    assert (await off.ticket())["outcome"] == "closed"
    await removal.ends("oscar.banegas", "documentar_capacidad", capacidad="20 Mbps", zona="Choloma")
    assert (await removal.ticket())["outcome"] == "closed"


@rule("VIP-17", "VIP-30")
async def test_who_asks_to_leave_in_recovery_and_then_pays_is_still_uninstalled_once(courier_house: TestHouse) -> None:
    house = courier_house
    cut = await suspended(house)
    mine = Leaving(house, cut.id, "ana.martinez")
    await house.until("2026-04-06T08:00")
    unpaid = Case(mine)
    assert await unpaid.open_steps() == {"desinstalar", "caso_legal"}

    # Pide la desconexión y nadie lo recupera: empieza un retiro por la DX, con los mismos trabajos, que esperan.
    notice = await mine.writes(LETTER, "carta.pdf")
    await house.post("/ticketing/tickets", mine.request("2026-04-06", notice["id"]), "elena.paz")
    await mine.ends("ana.martinez", "solicitud_dx_vip", "consultar")
    await mine.ends("sofia.mejia", "solicitud_dx_vip", "negociar", "lost", **LOST)
    final = {"ofrecido_recuperaciones": "Dos meses gratis.", "justificacion_final": "Se va."}
    await mine.ends("rosa.caceres", "recuperacion_dx_vip", "recuperar", "lost", **final)
    first, leaving = sorted((each for each in await mine.tickets() if each["procedure"] == RETIREMENT), key=lambda each: each["number"])
    assert await states(house, leaving) == {"desinstalar": "WAITING", "caso_legal": "WAITING"}
    assert await house.invariants() == []

    # Paga lo que debe: el retiro por falta de pago se cierra, y quien pidió irse se va igual; su equipo se recoge por este.
    await mine.reports_payment()
    await mine.reports_payment(period="2026-04")
    assert (await house.get(f"/ticketing/tickets/{first['id']}"))["outcome"] == "paid"
    assert await states(house, leaving) == {"desinstalar": "OPEN", "caso_legal": "OPEN"}
    opened = (await house.get(f"/ticketing/tickets/{leaving['id']}"))["steps"][0]
    assert (opened["deadline"], opened["comment"]) == ("2026-04-14T06:00:00Z", None)


async def states(house: TestHouse, ticket: dict[str, str]) -> dict[str, str]:
    """The states of a ticket's steps, but for what does not apply to it."""
    steps = (await house.get(f"/ticketing/tickets/{ticket['id']}"))["steps"]
    return {each["code"]: each["state"] for each in steps if each["state"] != "SKIPPED"}


@rule("VIP-16", "VIP-30")
async def test_the_sixth_day_of_who_is_being_uninstalled_already_asks_for_nothing_twice(courier_house: TestHouse) -> None:
    house = courier_house
    cut = await suspended(house)
    mine = Leaving(house, cut.id, "ana.martinez")
    notice = await mine.writes(LETTER, "carta.pdf")
    await house.until("2026-03-30T08:00")
    await house.post("/ticketing/tickets", mine.request("2026-03-30", notice["id"]), "elena.paz")
    await mine.ends("ana.martinez", "solicitud_dx_vip", "consultar")
    await mine.ends("sofia.mejia", "solicitud_dx_vip", "negociar", "lost", **LOST)
    final = {"ofrecido_recuperaciones": "Dos meses gratis.", "justificacion_final": "Se va."}
    await mine.ends("rosa.caceres", "recuperacion_dx_vip", "recuperar", "lost", **final)

    # El día 06 llega a quien ya se retira: el estatus y el correo, y los mismos trabajos una sola vez.
    await house.until("2026-04-06T08:00")
    assert await mine.status() == "RECOGER MES CLIENTE VIP"
    first, unpaid = sorted((each for each in await mine.tickets() if each["procedure"] == RETIREMENT), key=lambda each: each["number"])
    assert await states(house, first) == {"desinstalar": "OPEN", "caso_legal": "OPEN"}
    assert await states(house, unpaid) == {"desinstalar": "WAITING", "caso_legal": "WAITING"}
    assert await house.invariants() == []
