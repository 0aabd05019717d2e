"""The payment page before the cut: who owes keeps the connection and sees nothing else, until it pays, agrees, or is cut."""

from typing import Any

from shared.db import execute
from tests.flows.books import residential
from tests.flows.stories import Customer, customers_of
from tests.support.house import TestHouse
from tests.support.rules import rule

LIMITED, CUT, ACTIVE = "RESTRINGIDO POR FALTA DE PAGO", "SUSPENDIDO POR MORA", "ACTIVO"


async def seen(home: Customer, login: str) -> tuple[str, bool, bool]:
    """The status, and what the network does with the login: is it on, and does it see only the payment page?"""
    house: Any = home.house
    return await home.status(), await house.is_on(login), await house.is_restricted(login)


async def kinds(home: Customer) -> list[tuple[str, str | None]]:
    """The customer's tickets, the first one first."""
    return [(str(each["kind"]), each["outcome"]) for each in reversed(await home.tickets())]


@rule("RES-5", "RES-9")
async def test_from_the_payment_page_to_the_cut_and_back(house: TestHouse) -> None:
    late, punctual = await customers_of(house, residential("R-1", "Norma Oliva"), residential("R-2", "Edwin Paz"))
    await house.until("2026-03-16T20:00")
    await punctual.reports_payment(reference="DEP-2")
    (coming,) = [each for each in (await late.explanation())["next"] if each["rule"]["id"] == "RES-9"]
    assert (coming["at"], "página de pago" in coming["text"]) == ("2026-03-17T15:00:00Z", True)

    # Siete días después de vencer, a las 09:00: conectada, pero solo ve la página de pago; un correo le dice qué hacer.
    await house.until("2026-03-17T08:59")
    assert await seen(late, "r-1") == (ACTIVE, True, False)
    await house.until("2026-03-17T09:00")
    assert await seen(late, "r-1") == (LIMITED, True, True)
    assert await seen(punctual, "r-2") == (ACTIVE, True, False)
    account = await late.account()
    assert (account["status"]["code"], account["status"]["rule"]["id"], account["restriction"]["label"]) == (
        "restricted",
        "RES-9",
        "restringido",
    )
    mail = house.mails(to="r-1@correo.example")[-1]
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "solo abre la página de pago" in str(mail["Subject"]) and "$45.89" not in str(mail["Subject"])
    assert "https://redsula.example" in text and "compromiso" in text
    (ticket,) = await late.tickets()
    assert (ticket["kind"], ticket["outcome"]) == ("RESTRICCION POR MORA", "restricted")
    details = await house.get(f"/ticketing/tickets/{ticket['id']}")
    assert [(each["action"], each["state"]) for each in details["switches"]] == [("restrict", "DONE")]
    assert [each["network"] for each in details["customer"]["services"]] == ["restricted"]

    # El pago reportado la quita; el banco no lo tiene, y vuelve en el acto.
    await house.until("2026-03-18T10:00")
    payment = await late.reports_payment(reference="DEP-1")
    assert await seen(late, "r-1") == (ACTIVE, True, False)
    assert (await late.account())["restriction"]["outcome"] == "released"
    await house.until("2026-03-19T10:00")
    await house.post(f"/billing/payments/{payment['id']}/reject", {"reason": "El banco no lo tiene"}, "ines.reyes")
    assert await seen(late, "r-1") == (LIMITED, True, True)

    # El corte toma su lugar, sin quitarla antes; después de la reconexión no queda nada restringido.
    await house.until("2026-03-20T09:00")
    assert await seen(late, "r-1") == (CUT, False, False)
    assert (await late.account())["restriction"]["outcome"] == "suspended"
    await house.until("2026-03-21T09:00")
    await late.reports_payment(reference="DEP-1B")
    assert await seen(late, "r-1") == ("ACTIVO TEMPORAL PAGO", True, False)
    assert await kinds(late) == [
        ("RESTRICCION POR MORA", "restricted"),
        ("FIN DE RESTRICCION", "released"),
        ("RESTRICCION POR MORA", "restricted"),
        ("SUSPENSION POR MORA", "suspended"),
        ("RECONEXION", "reconnected"),
    ]
    assert await kinds(punctual) == []

    # La línea de tiempo lo cuenta, y un día pasado se explica como fue.
    told = (await house.get(f"/collections/customers/{late.id}/timeline", topic="network", limit="100"))["items"]
    assert {"restriction", "restricted", "restriction_release", "restriction_ended"} <= {each["kind"] for each in told}
    path = f"/collections/customers/{late.id}/explanation"
    for at, code in (("2026-03-17T10:00", "restricted"), ("2026-03-18T12:00", "active"), ("2026-03-19T12:00", "restricted")):
        then = await house.get(path, at=house.instant(at).isoformat())
        assert then["status"]["code"] == code, at


@rule("RES-6", "RES-9")
async def test_a_promise_lifts_it_and_breaking_it_brings_it_back(courier_house: TestHouse) -> None:
    house = courier_house
    (home,) = await customers_of(house, residential("R-3", "Delmy Rosa"))
    await house.until("2026-03-17T10:00")
    assert await seen(home, "r-3") == (LIMITED, True, True)
    await home.promises("2026-03-19T17:00", "45.89")
    assert await seen(home, "r-3") == (ACTIVE, True, False)
    await house.until("2026-03-19T17:01")
    assert await seen(home, "r-3") == (LIMITED, True, True)


@rule("NOC-1", "COB-1", "RES-9")
async def test_an_outage_and_a_hold_lift_it_while_they_last(courier_house: TestHouse) -> None:
    house = courier_house
    behind, spared = await customers_of(house, residential("R-4", "Wilmer Cruz", node="CHOLOMA-1"), residential("R-5", "Ena Lara"))
    await house.until("2026-03-17T10:00")
    assert (await seen(behind, "r-4"), await seen(spared, "r-5")) == ((LIMITED, True, True), (LIMITED, True, True))
    outage = await house.post("/noc/outages", {"access_node": "CHOLOMA-1", "description": "Fibra cortada"}, "noc.turno")
    until = house.instant("2026-03-18T12:00").isoformat()
    held = {"reason": "Se revisa su contrato", "owner": "marta.zelaya", "until": until}
    await house.post(f"/collections/customers/{spared.id}/holds", held, "marta.zelaya")
    assert (await seen(behind, "r-4"), await seen(spared, "r-5")) == ((ACTIVE, True, False), (ACTIVE, True, False))
    await house.post(f"/noc/outages/{outage['id']}/close", {"solution": "Empalme reparado"}, "noc.turno")
    assert await seen(behind, "r-4") == (LIMITED, True, True)
    assert await seen(spared, "r-5") == (ACTIVE, True, False)
    await house.until("2026-03-18T12:01")
    assert await seen(spared, "r-5") == (LIMITED, True, True)


@rule("RES-9")
async def test_a_network_that_says_nothing_is_asked_again_and_the_payment_is_not_forgotten(courier_house: TestHouse) -> None:
    house = courier_house
    (home,) = await customers_of(house, residential("R-6", "Elvin Mejía"))
    async with house.house.runtimes["ticketing"].database.transaction() as session:
        await execute(
            session, "INSERT INTO simulated_plan (login, answers, used, slow_ms) VALUES ('r-6', 'unknown_done,unknown,done', 0, 0)"
        )
    await house.until("2026-03-17T09:00")
    assert await home.status() == ACTIVE and await house.is_restricted("r-6"), "nobody knows yet what the network did"
    await home.reports_payment(reference="DEP-6")
    await house.until("2026-03-17T12:00")
    assert await seen(home, "r-6") == (ACTIVE, True, False)
    assert (await home.account())["restriction"]["outcome"] == "released"
    assert await kinds(home) == [("RESTRICCION POR MORA", "restricted"), ("FIN DE RESTRICCION", "released")]
