"""«PROCESO PARA DEFINIR UN CLIENTE COMO VIP»: the list of Sales, its bad rows, portfolios, and each agent's own list."""

from tests.flows.books import business, residential
from tests.flows.stories import customers_of
from tests.support.house import TestHouse
from tests.support.rules import rule

SALES, MANAGER = "sofia.mejia", "marta.zelaya"


@rule("VIP-1", "VIP-2", "VIP-3", "VIP-4")
async def test_sales_sends_its_list_and_the_manager_divides_it(courier_house: TestHouse) -> None:
    house = courier_house
    company, large, home = await customers_of(
        house,
        business("K-1", "Textiles Sula"),
        business("K-2", "Ferretería Mayor", plan="negocio_300", price="620.00"),
        residential("K-3", "Norma Oliva"),
    )
    assert [await each.status() for each in (company, large, home)] == ["ACTIVO", "ACTIVO", "ACTIVO"]

    # Quién debe estar y no está: plan Corporativo, y plan mensual mayor de $500.00.
    missing = (await house.get("/collections/qualification/missing", SALES))["items"]
    assert {each["external_id"] for each in missing} == {"K-1", "K-2"}
    criteria = (await house.get(f"/collections/customers/{large.id}/qualification", SALES))["criteria"]
    assert [each["code"] for each in criteria if each["holds"]] == ["amount"]

    # El detalle de Ventas: las filas buenas se aplican, cada mala se informa con su motivo.
    listed = [
        {"external_id": "K-1", "note": "Cliente VIP: plan Corporativo."},
        {"external_id": "K-99", "note": "Cliente VIP."},
        {"external_id": "K-3", "note": ""},
        {"external_id": "K-2", "note": "Cliente VIP: paga más de $500.00."},
        {"external_id": "K-1", "note": "Otra vez."},
    ]
    report = await house.post("/collections/vip-lists", {"period": "2026-02", "rows": listed}, SALES)
    assert [each["outcome"] for each in report["results"]] == ["applied", "faulty", "faulty", "applied", "faulty"]
    assert [each["line"] for each in report["results"] if each["outcome"] == "faulty"] == [2, 3, 5]
    assert "K-99" in report["results"][1]["reason"]
    assert [await each.status() for each in (company, large, home)] == ["CLIENTE VIP", "CLIENTE VIP", "ACTIVO"]
    seen = await house.get(f"/collections/customers/{company.id}/qualification", SALES)
    assert (seen["in_segment"], seen["note"]) == (True, "Cliente VIP: plan Corporativo.")

    # No aparecer en otra lista no le quita nada a nadie; aparecer otra vez, tampoco cambia nada.
    again = await house.post("/collections/vip-lists", {"period": "2026-03", "rows": [listed[3]]}, SALES)
    assert [each["outcome"] for each in again["results"]] == ["unchanged"]
    assert await company.status() == "CLIENTE VIP"

    # Ventas informa al cliente que paga los primeros 5 días del mes, y la factura vence el 5.
    told = {"kind": "terms_told", "channel": "visita", "said": "Paga los primeros 5 días; a más tardar el último día del mes."}
    await house.post(f"/collections/customers/{company.id}/contacts", told, SALES)
    await house.until("2026-03-01T10:00")
    assert [(await each.invoice())["due_date"] for each in (company, home)] == ["2026-03-05", "2026-03-10"]

    # La cartera la reparte la gerencia; cada gestor tiene su listado.
    deal = {"customer_ids": [company.id], "agent": "ana.martinez", "reason": "Reparto de marzo."}
    assert (await house.as_("ana.martinez").post("/collections/portfolios/assignments", json=deal)).status_code == 403
    await house.post("/collections/portfolios/assignments", deal, MANAGER)
    await house.post("/collections/portfolios/assignments", {**deal, "customer_ids": [large.id], "agent": "carlos.rivera"}, MANAGER)
    for agent, own in (("ana.martinez", "K-1"), ("carlos.rivera", "K-2")):
        mine = (await house.get("/collections/customers", agent))["items"]
        assert [each["external_id"] for each in mine] == [own]
        assert [each["agent"] for each in (await house.get("/collections/worklist", agent))["items"]] == [agent]
    others = await house.as_("ana.martinez").get("/collections/customers", params={"agent": "carlos.rivera"})
    assert (others.status_code, others.json()["rule"]) == (403, "VIP-4")
    portfolios = await house.get("/collections/portfolios", MANAGER)
    assert {(each["agent"], each["customers"]) for each in portfolios if each["policy"] == "vip"} == {
        ("ana.martinez", 1),
        ("carlos.rivera", 1),
    }

    # Billing sabe quién atiende a quién.
    assert (await house.get(f"/billing/customers/{company.id}"))["assigned_agent"] == "ana.martinez"
