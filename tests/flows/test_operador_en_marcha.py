"""An operator that has been working for years: its open invoices, its suspended customers, its plans; nobody is billed twice."""

from decimal import Decimal
from typing import Any

from tests.flows.stories import Customer
from tests.support.house import TestHouse
from tests.support.rules import rule

MAPPING = """
source: crm
dates: ["%Y-%m-%d"]
as_of: 2026-02-28
customer: {external_id: codigo, name: nombre, agent: gestor}
contract: {start: {constant: 2024-01-01}}
contacts:
  - {role: {constant: administrativo}, name: nombre, email: correo}
services:
  - {code: {constant: internet}, plan: plan, amount: precio, login: usuario, node: {constant: SPS-NORTE-1}}
opening:
  status: estado
  last_billed: facturado
  invoices: [{number: factura, issue_date: emitida, due_date: vence, amount: total, balance: debe}]
"""
BOOK = """codigo,nombre,gestor,correo,plan,precio,usuario,estado,facturado,factura,emitida,vence,total,debe
L-1,Hotel Copantl,ana.martinez,x@l1.example,dedicado_20,600.00,l-1,SUSPENDIDO CLIENTE VIP,2026-02,V-1,2026-02-01,2026-02-05,690.00,690.00
L-2,Banco de Occidente,ana.martinez,x@l2.example,dedicado_20,600.00,l-2,PLAN DE PAGO COBROS,2026-02,V-2,2026-02-01,2026-02-05,690.00,345.00
L-3,Norma Oliva,,x@l3.example,hogar_50,39.90,l-3,ACTIVO,2026-03,V-3,2026-03-01,2026-03-10,45.89,45.89
L-4,Edwin Paz,,x@l4.example,hogar_50,39.90,l-4,ACTIVO,2026-02,,,,,
L-5,Delmy Rosa,,x@l5.example,hogar_50,39.90,l-5,SUSPENDIDO POR MORA,2026-02,V-5,2026-02-01,2026-02-10,45.89,45.89
"""

COLLECTED = """codigo,nombre,gestor,correo,plan,precio,usuario,estado,facturado,factura,emitida,vence,total,debe
M-1,Hotel Copantl,ana.martinez,x@m1.example,dedicado_20,600.00,m-1,RECOGER MES CLIENTE VIP,2026-02,W-1,2026-02-01,2026-02-05,690.00,690.00
M-2,Banco de Occidente,ana.martinez,x@m2.example,dedicado_20,600.00,m-2,RECOGER MES CLIENTE VIP,2026-03,,,,,
"""


async def found(house: TestHouse, code: str) -> Customer:
    (account,) = (await house.get("/collections/customers", external_id=code))["items"]
    return Customer(house, account["customer_id"], account["agent"] or "admin")


async def invoices(customer: Customer, period: str) -> list[Any]:
    return list((await customer.house.get("/billing/invoices", customer_id=customer.id, period=period))["items"])


@rule("VIP-16", "VIP-17")
async def test_who_comes_in_recovery_has_its_case_on_the_desks_lists(courier_house: TestHouse) -> None:
    house = courier_house
    report = await house.import_file(COLLECTED, MAPPING)
    assert (report["rows_new"], report["notices"]) == (2, 1)
    (notice,) = (await house.get(f"/billing/imports/{report['id']}/faults", "ines.reyes"))["items"]
    assert notice["reason"].startswith("2 clientes llegan en RECOGER MES CLIENTE VIP")
    assert "1 no traen ninguna factura abierta: su caso se abre con la primera impaga." in notice["reason"]

    # El caso del que debe está abierto, con sus trabajos en las listas; nadie recibe un correo por algo que ya sabe.
    hotel, bank = [await found(house, f"M-{number}") for number in (1, 2)]
    assert [await each.status() for each in (hotel, bank)] == ["RECOGER MES CLIENTE VIP", "RECOGER MES CLIENTE VIP"]
    (ticket,) = await hotel.tickets()
    assert (ticket["procedure"], await bank.tickets()) == ("retiro_servicio_vip", [])
    tasks = (await house.get("/ticketing/tasks", "rosa.caceres"))["items"]
    assert [(each["step"], each["ticket_id"]) for each in tasks] == [("desinstalar", ticket["id"])]
    shown = await house.get(f"/ticketing/tickets/{ticket['id']}")
    assert any("Importado como RECOGER MES CLIENTE VIP; febrero de 2026 sigue sin pagarse" in str(each) for each in shown["facts"])
    assert house.mails(subject="RECOGER MES CLIENTE VIP") == []

    # El que no debía nada: con la factura de abril, que no paga. El que paga deja de tener caso.
    await house.until("2026-04-02T10:00")
    assert [each["procedure"] for each in await bank.tickets()] == ["retiro_servicio_vip"]
    for each in ("2026-02", "2026-03", "2026-04"):
        await hotel.reports_payment(period=each, reference=f"DEP-{each}")
    (ticket,) = await hotel.tickets()
    assert (ticket["outcome"], await hotel.status()) == ("paid", "SUSPENDIDO CLIENTE VIP")


@rule("VIP-20", "VIP-21", "RES-7")
async def test_what_customers_bring_along_is_taken_over(courier_house: TestHouse) -> None:
    house = courier_house
    report = await house.import_file(BOOK, MAPPING)
    assert (report["rows_new"], report["rows_bad"]) == (5, 0)
    hotel, bank, billed, home, late = [await found(house, f"L-{number}") for number in range(1, 6)]
    statuses = [await each.status() for each in (hotel, bank, billed, home, late)]
    assert statuses == ["SUSPENDIDO CLIENTE VIP", "PLAN DE PAGO COBROS", "ACTIVO", "ACTIVO", "SUSPENDIDO POR MORA"]

    # Facturado marzo: una factura a cada uno, y ninguna más a quien ya la tenía. El mismo archivo otra vez no cambia nada.
    await house.until("2026-03-02T10:00")
    for each in (hotel, bank, billed, home, late):
        assert len(await invoices(each, "2026-03")) == 1
    assert (await invoices(billed, "2026-03"))[0]["number"] == "V-3"
    again = await house.import_file(BOOK, MAPPING)
    assert (again["rows_new"], again["rows_bad"], again["rows_unchanged"]) == (0, 0, 5)
    await house.until("2026-03-03T10:00")
    assert len(await invoices(billed, "2026-03")) == 1

    # La red no sabe de órdenes viejas: reconectar al que llegó suspendido funciona igual.
    assert (await hotel.is_refused("reconnections", {"basis": "payment"}))["rule"] == "VIP-20"
    assert "notice" not in await hotel.may()
    await hotel.reports_payment(period="2026-02")
    await hotel.does("reconnections", {"basis": "payment"})
    assert await hotel.status() == "ACTIVO TEMPORAL PAGO"
    assert [each["kind"] for each in await hotel.tickets()] == ["RECONEXION CLIENTE VIP"]

    # Un residencial que llegó suspendido se reconecta solo cuando paga lo vencido.
    await late.reports_payment(period="2026-02")
    assert await late.status() == "ACTIVO TEMPORAL PAGO"

    # El plan que se trajo termina con el mes; abril se factura una vez a todos.
    await house.until("2026-04-01T10:00")
    assert await bank.status() == "CLIENTE VIP"
    for each in (hotel, bank, billed, home, late):
        assert len(await invoices(each, "2026-04")) == 1
    owed = (await bank.account())["amounts"]["owed"]["amount"]
    assert Decimal(owed) == Decimal("345.00") + 690 + 690
