"""A payment against a cut: nobody who paid in time stays cut, and a reconnection is ordered at most once."""

from tests.flows.books import residential, vip
from tests.flows.stories import Customer, customers_of, told
from tests.support.house import TestHouse
from tests.support.rules import rule

CUT, BACK = "SUSPENSION CLIENTE VIP", "RECONEXION CLIENTE VIP"


async def kinds(customer: Customer) -> list[tuple[str, str]]:
    """The customer's tickets: kind and outcome."""
    return sorted((each["kind"], each["outcome"]) for each in await customer.tickets())


@rule("VIP-12")
async def test_a_payment_reported_before_the_cut_forbids_it_until_it_is_rejected(house: TestHouse) -> None:
    (hotel,) = await customers_of(house, vip("C-1", "Hotel Copantl"))
    await house.until("2026-03-26T09:00")
    await hotel.does("suspension-notices", {})

    # Reportado un minuto antes de que el día 27 termine: está a tiempo.
    await house.until("2026-03-27T23:59")
    payment = await hotel.reports_payment()
    await house.until("2026-03-28T09:00")
    assert (await hotel.is_refused("suspensions"))["rule"] == "VIP-12"

    # El banco no lo tiene: todo sigue donde el mes está, y se puede suspender sin otro aviso.
    await house.post(f"/billing/payments/{payment['id']}/reject", {"reason": "El banco no lo tiene"}, "ines.reyes")
    assert await hotel.status() == "CLIENTE VIP"
    await hotel.does("suspensions", {})
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"
    assert await kinds(hotel) == [(CUT, "suspended")]
    assert not await house.is_on("c-1")


@rule("VIP-12", "VIP-20")
async def test_a_payment_in_the_moment_of_the_cut(courier_house: TestHouse) -> None:
    house = courier_house
    customers = await customers_of(house, *(vip(f"C-{n}", f"Cliente {n}") for n in range(2, 8)))
    await house.until("2026-03-26T09:00")
    for each in customers:
        await each.does("suspension-notices", {})
    await house.until("2026-03-28T09:00")
    for each in customers:
        ordered, reported = await each.pays_while("suspensions")
        assert reported.status_code == 201
        assert ordered.status_code in (202, 409)

    # Quien llegue primero decide cómo, no cómo termina: nadie queda suspendido, y nadie se reconecta dos veces.
    for number, each in enumerate(customers, start=2):
        found = await kinds(each)
        assert found in ([], [(CUT, "cancelled")], [(BACK, "reconnected"), (CUT, "suspended")]), found
        assert await each.status() in ("CLIENTE VIP", "ACTIVO TEMPORAL PAGO")
        assert await house.is_on(f"c-{number}")


@rule("VIP-12", "VIP-20")
async def test_a_payment_while_the_network_is_silent(courier_house: TestHouse) -> None:
    house = courier_house
    silent, dead = await customers_of(house, vip("C-10", "Granja Avícola"), vip("C-11", "Azucarera del Valle"))
    await house.network_answers("c-10", "unknown_done,done")
    await house.network_answers("c-11", "unknown,done")
    await house.until("2026-03-26T09:00")
    for each in (silent, dead):
        await each.does("suspension-notices", {})
    await house.until("2026-03-28T09:00")
    for each in (silent, dead):
        await each.does("suspensions", {})

    # La red no contestó: nadie supone nada, la suspensión sigue solicitada. El cliente paga.
    for each in (silent, dead):
        assert (await each.account())["suspension"]["state"] == "REQUESTED"
        assert await each.status() == "CLIENTE VIP"
        await each.reports_payment()

    # Un minuto después se sabe. La que estaba hecha se reconecta sola, una vez.
    await house.until("2026-03-28T12:00")
    assert await kinds(silent) == [(BACK, "reconnected"), (CUT, "suspended")]
    assert await silent.status() == "ACTIVO TEMPORAL PAGO"
    assert await house.is_on("c-10")
    assert await house.is_on("c-11")
    assert await dead.status() in ("CLIENTE VIP", "ACTIVO TEMPORAL PAGO")
    assert len(house.mails(subject=BACK)) % 6 == 0


@rule("VIP-20", "VIP-9")
async def test_a_payment_after_the_cut_waits_for_the_agent_and_a_rejected_one_leads_back(courier_house: TestHouse) -> None:
    house = courier_house
    (hotel,) = await customers_of(house, vip("C-12", "Clínica Bendaña"))
    await hotel.is_cut_after_the_notice()
    await house.until("2026-03-29T10:00")
    payment = await hotel.reports_payment()
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"
    assert "reconnect" in await hotel.may()
    await hotel.does("reconnections", {"basis": "payment"})
    assert (await hotel.is_refused("reconnections", {"basis": "payment"}))["rule"] == "VIP-20"
    assert await hotel.status() == "ACTIVO TEMPORAL PAGO"

    # Rechazado el pago vuelve a CLIENTE VIP; para suspender otra vez hace falta otro aviso y otras 24 horas.
    await house.until("2026-03-30T10:00")
    await house.post(f"/billing/payments/{payment['id']}/reject", {"reason": "Sin fondos"}, "ines.reyes")
    assert await hotel.status() == "CLIENTE VIP"
    assert (await hotel.is_refused("suspensions"))["rule"] == "VIP-10"
    await hotel.does("suspension-notices", {})
    await house.until("2026-03-31T10:00")
    await hotel.does("suspensions", {})
    assert await hotel.status() == "SUSPENDIDO CLIENTE VIP"
    assert await kinds(hotel) == [(BACK, "reconnected"), (CUT, "suspended"), (CUT, "suspended")]
    assert len(told(house, CUT)) == 6


@rule("RES-5", "RES-7")
async def test_a_home_that_pays_while_its_access_server_answers_slowly(courier_house: TestHouse) -> None:
    house = courier_house
    (home,) = await customers_of(house, residential("R-1", "Norma Oliva"))
    await house.network_answers("r-1", "done,unknown_done,done")
    await house.until("2026-03-20T09:00")
    await home.reports_payment()
    await house.until("2026-03-20T12:00")
    assert await home.status() == "ACTIVO TEMPORAL PAGO"
    assert await house.is_on("r-1")
    assert await kinds(home) == [
        ("FIN DE RESTRICCION", "released"),
        ("RECONEXION", "reconnected"),
        ("RESTRICCION POR MORA", "restricted"),
        ("SUSPENSION POR MORA", "suspended"),
    ]
