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

    # Reconexión: un ticket a Ingeniería, y la activación del gestor lo cierra sin esperar ningún comentario.
    await house.until("2026-03-29T10:00")
    await mine.reports_payment()
    await mine.does("reconnections", {"basis": "payment"})
    await mine.finishes("ana.martinez", "completar")
    assert await mine.status() == "ACTIVO TEMPORAL PAGO"
    assert told(house, "RECONEXION CLIENTE VIP") == set(SIX_DESKS)


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
