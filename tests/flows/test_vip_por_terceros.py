"""Service delivered by third parties: Engineering suspends and confirms with a comment, only then the agent completes."""

from tests.flows.books import vip
from tests.flows.stories import SIX_DESKS, customers_of, told
from tests.support.house import TestHouse
from tests.support.rules import rule


@rule("VIP-14", "VIP-15", "VIP-22", "VIP-24")
async def test_engineering_confirms_before_the_agent_completes(house: TestHouse) -> None:
    (mine,) = await customers_of(house, vip("C-7", "Minera Quita Sueño", delivery="third_party"))
    await mine.is_cut_after_the_notice()

    # El ticket SUSPENDIDO CLIENTE VIP está asignado a INGENIERIA SPS; el servicio sigue hasta que ella confirme.
    (ticket,) = await mine.tickets()
    assert (ticket["kind"], ticket["desk"], ticket["state"]) == ("SUSPENDIDO CLIENTE VIP", "ingenieria", "open")
    assert await mine.status() == "CLIENTE VIP"

    # El gestor no puede completar antes de que Ingeniería comente, ni confirmar por ella; y ella no confirma sin comentario.
    assert (await mine.may_not_finish("ana.martinez", "completar"))["status"] == 409
    assert (await mine.may_not_finish("ana.martinez", "confirmar", "Listo"))["rule"] == "VIP-14"
    assert (await mine.may_not_finish("oscar.banegas", "confirmar"))["status"] in (409, 422)
    await mine.finishes("oscar.banegas", "confirmar", "Suspendido con el proveedor, caso 88-1024.")
    assert await mine.status() == "CLIENTE VIP"
    assert (await mine.may_not_finish("carlos.rivera", "completar"))["rule"] == "VIP-14"

    # Luego el gestor procede desde VECONO, y el ticket se cierra de forma automática.
    await mine.finishes("ana.martinez", "completar")
    assert await mine.status() == "SUSPENDIDO CLIENTE VIP"
    assert told(house, "SUSPENDIDO CLIENTE VIP") == set(SIX_DESKS)
    assert not await house.is_on("c-7")

    # Reconexión: un ticket a Ingeniería, y la activación del gestor lo cierra sin esperar ningún comentario.
    await house.until("2026-03-29T10:00")
    await mine.reports_payment()
    await mine.does("reconnections", {"basis": "payment"})
    await mine.finishes("ana.martinez", "completar")
    assert await mine.status() == "ACTIVO TEMPORAL PAGO"
    assert told(house, "RECONEXION CLIENTE VIP") == set(SIX_DESKS)
    assert await house.is_on("c-7")


@rule("VIP-14", "VIP-22")
async def test_who_never_confirms_and_who_never_completes_is_told_to_the_manager(courier_house: TestHouse) -> None:
    house = courier_house
    (mine,) = await customers_of(house, vip("C-10", "Molino del Valle", delivery="third_party"))
    await mine.is_cut_after_the_notice()

    # El 28 es sábado: Ingeniería tiene el lunes 30. Después se informa a Gerencia; nadie queda suspendido porque un plazo terminó.
    await house.until("2026-03-30T23:59")
    assert told(house, "Plazo vencido") == set()
    await house.until("2026-03-31T08:00")
    assert told(house, "Plazo vencido") == {"gerente.cobros"}
    assert await mine.status() == "CLIENTE VIP"

    # Confirmado el miércoles 1, jueves y viernes son Semana Santa: el gestor tiene el lunes 6, y se informa otra vez, una.
    await house.until("2026-04-01T09:00")
    await mine.finishes("oscar.banegas", "confirmar", "El proveedor suspendió hoy.")
    await house.until("2026-04-07T08:00")
    assert len(house.mails(subject="Plazo vencido")) == 2
    assert await mine.status() == "CLIENTE VIP"
    await mine.finishes("ana.martinez", "completar")
    assert await mine.status() == "SUSPENDIDO CLIENTE VIP"

    # Quien pagó y espera que el gestor lo active tampoco queda olvidado.
    await mine.reports_payment()
    await mine.reports_payment(period="2026-04")
    await mine.does("reconnections", {"basis": "payment"})
    await house.until("2026-04-09T08:00")
    assert len(house.mails(subject="Plazo vencido")) == 3
    await mine.finishes("ana.martinez", "completar")
    assert await mine.status() == "ACTIVO TEMPORAL PAGO"


@rule("VIP-12")
async def test_who_pays_before_engineering_has_cut_is_not_cut(house: TestHouse) -> None:
    (mine,) = await customers_of(house, vip("C-8", "Camaronera Bahía Azul", delivery="third_party"))
    await mine.is_cut_after_the_notice()
    await mine.reports_payment()
    (ticket,) = await mine.tickets()
    assert (ticket["state"], ticket["outcome"]) == ("closed", "cancelled")
    assert told(house, "SUSPENDIDO CLIENTE VIP") == set()


@rule("VIP-12", "VIP-20")
async def test_who_pays_after_engineering_has_cut_is_reconnected_without_asking(house: TestHouse) -> None:
    (mine,) = await customers_of(house, vip("C-9", "Procesadora de Palma", delivery="third_party"))
    await mine.is_cut_after_the_notice()
    await mine.finishes("oscar.banegas", "confirmar", "Suspendido con el proveedor.")
    await mine.reports_payment()
    await mine.finishes("ana.martinez", "completar")
    kinds = sorted(each["kind"] for each in await mine.tickets())
    assert kinds == ["RECONEXION CLIENTE VIP", "SUSPENDIDO CLIENTE VIP"]
    assert await mine.status() == "ACTIVO TEMPORAL PAGO"
    assert told(house, "RECONEXION CLIENTE VIP") == set(SIX_DESKS)
