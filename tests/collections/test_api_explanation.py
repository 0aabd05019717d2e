"""Every decision explains itself: the explanation of an account through a month, its timeline, and the worklist that follows from it."""

from typing import Any
from uuid import UUID

from shared.events.noc import OutageDeclared
from tests.collections.api_scene import OpenDatabase, Scene, local, scene
from tests.support.rules import rule
from tests.support.service import operator

MONEY = {"amount": "460.00", "currency": "USD"}


async def explained(told: Scene, customer: UUID, person: str = "ana.martinez") -> Any:
    return await told.get(f"/customers/{customer}/explanation", person)


def by_action(explanation: Any) -> dict[str, Any]:
    return {each["action"]: each for each in (*explanation["may"], *explanation["may_not"])}


async def reasons(told: Scene, person: str = "ana.martinez") -> list[list[str]]:
    return [[each["reason"] for each in item["reasons"]] for item in (await told.get("/worklist", person))["items"]]


@rule("VIP-9", "VIP-10", "VIP-12")
async def test_what_may_not_be_done_names_rule_text_page_and_when_it_ends(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip(name="Hotel Ejecutivo")
        await told.invoice(customer)
        await told.served.at(local("2026-03-26 08:00"))
        await told.served.as_("ana.martinez").post(f"/customers/{customer}/suspension-notices", json={})
        await told.notice_accepted()
        found = await explained(told, customer)
        cut = by_action(found)["suspend"]
        assert cut["allowed"] is False
        assert cut["rule"]["id"] == "VIP-12"
        assert (cut["rule"]["text"], cut["rule"]["page"]) == (operator().rule("VIP-12").text, operator().rule("VIP-12").page)
        assert [each["rule"]["id"] for each in cut["obstacles"]] == ["VIP-12", "VIP-10"]
        assert [each["until"] for each in cut["obstacles"]] == ["2026-03-28T06:00:00Z", "2026-03-27T14:00:00Z"]
        assert cut["allowed_from"] == "2026-03-28T06:00:00Z"
        assert cut["by"] == "solo el gestor asignado: Ana Martínez"
        assert found["clock"] == {
            "now": "2026-03-26T14:00:00Z",
            "local": "jueves 26 de marzo a las 08:00",
            "time_zone": "America/Tegucigalpa",
            "simulated": True,
        }
        assert [(each["at"], each["rule"]["id"]) for each in found["next"]] == [
            ("2026-03-27T14:00:00Z", "VIP-10"),
            ("2026-03-28T06:00:00Z", "VIP-12"),
        ]
        assert {each["rule"] for each in found["choices"]} >= {"VIP-9", "VIP-11", "VIP-12"}
        assert found["summary"].startswith("Hotel Ejecutivo está en CLIENTE VIP. ")


async def test_what_the_explanation_allows_the_command_does_and_what_it_forbids_is_refused(database: OpenDatabase) -> None:
    bodies: dict[str, Any] = {
        "promise": {"amount": MONEY, "due_at": "2026-03-30T17:00:00-06:00"},
        "payment_plan": {"instalments": [{"due_at": "2026-04-15T17:00:00-06:00", "amount": MONEY}]},
        "review": {"reason": "Reclama un cargo."},
        "notice": {},
        "suspend": {},
        "reconnect": {"basis": "payment"},
    }
    days = ("2026-03-03 09:00", "2026-03-10 09:00", "2026-03-28 09:00")
    async with scene(database) as told:
        customers = {(day, action): await told.vip(f"{day} {action}") for day in days for action in bodies}
        for customer in customers.values():
            await told.invoice(customer)
        outcomes = set()
        for (day, action), customer in customers.items():
            await told.served.at(local(day))
            verdict = by_action(await explained(told, customer))[action]
            answer = await told.served.as_("ana.martinez").post(f"/customers/{customer}/{verdict['path']}", json=bodies[action])
            outcomes.add((action, verdict["allowed"]))
            assert (answer.status_code < 300) == verdict["allowed"], (action, day, answer.text)
            if not verdict["allowed"]:
                assert (answer.status_code, answer.json()["rule"]) == (409, verdict["rule"]["id"])
                assert answer.json()["detail"].startswith(verdict["reason"])
        assert outcomes >= {("promise", True), ("notice", True), ("notice", False), ("suspend", False), ("reconnect", False)}


async def test_whoever_is_named_may_do_it(database: OpenDatabase) -> None:
    """A promise is made by anybody of the desks that work at collections, not by the assigned agent alone; a cut only by the agent."""
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        await told.served.at(local("2026-03-10 09:00"))
        promise = by_action(await explained(told, customer, "carlos.rivera"))["promise"]
        desks = "Gerente de Cobros y Créditos, Cobros y Créditos o Sistemas"
        assert promise["by"] == f"cualquier persona de {desks}; su gestor es Ana Martínez"
        assert (promise["allowed"], promise["allowed_for_you"]) == (True, True)
        body = {"amount": MONEY, "due_at": "2026-03-20T17:00:00-06:00"}
        made = await told.served.as_("carlos.rivera").post(f"/customers/{customer}/promises", json=body)
        assert made.status_code == 201, made.text
        refused = await told.served.as_("sofia.mejia").post(f"/customers/{customer}/promises", json=body)
        assert (refused.status_code, refused.json()["detail"].split(" no puede ")[0]) == (403, "Sofía Mejía (Ventas)")
        assert refused.json()["remedy"].startswith(f"Pueden: {desks}.")


async def test_a_colleague_reads_who_may_and_why_it_is_not_itself(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        await told.served.at(local("2026-03-10 09:00"))
        notice = by_action(await explained(told, customer, "carlos.rivera"))["notice"]
        assert (notice["allowed"], notice["by"]) == (True, "solo el gestor asignado: Ana Martínez")
        assert notice["allowed_for_you"] is False
        assert notice["your_obstacle"] == "Solo el gestor asignado inicia la suspensión: Ana Martínez (ana.martinez)."
        own = by_action(await explained(told, customer))["notice"]
        assert (own["allowed_for_you"], own["your_obstacle"]) == (True, None)


async def test_the_facts_are_told_with_what_they_are_worth_now(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        await told.served.at(local("2026-03-10 09:00"))
        ana = told.served.as_("ana.martinez")
        await ana.post(f"/customers/{customer}/promises", json={"amount": MONEY, "due_at": "2026-03-20T17:00:00-06:00"})
        await told.served.deliver(
            OutageDeclared(
                outage_id=customer,
                access_node="SPS-1",
                description="Fibra cortada",
                declared_by="noc.turno",
                declared_at=await told.served.now(),
            )
        )
        await told.served.at(local("2026-03-21 09:00"))
        await told.reported(customer, amount="100.00", open_after="360.00")
        texts = {each["kind"]: each["text"] for each in (await explained(told, customer))["facts"]}
        assert texts["account"].startswith("Lo rige la política Clientes VIP. Su gestor es Ana Martínez.")
        assert "debe $360.00 (vencida)" in texts["invoice"]
        assert texts["payment"] == "Pago de $100.00 reportado el sábado 21 de marzo a las 09:00, sin confirmar."
        assert texts["promise"].endswith("$460.00 hasta el viernes 20 de marzo a las 17:00; se incumplió.")
        assert texts["outage"] == "El nodo SPS-1 tiene una avería desde el martes 10 de marzo a las 09:00."
        cut = by_action(await explained(told, customer))["suspend"]
        assert "NOC-1" in [each["rule"]["id"] for each in cut["obstacles"]]


async def test_a_policy_that_decides_by_itself_says_what_the_system_will_do(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.customer(plan="hogar_50", kind="residential", monthly_amount="39.90", assigned_agent=None)
        await told.invoice(customer, "45.89", due_date=local("2026-03-10 12:00").date())
        found = await explained(told, customer, "marta.zelaya")
        assert (found["policy"], found["decided_by"], found["status"]["label"]) == ("residencial", "system", "ACTIVO")
        assert by_action(found)["suspend"]["by"] == "el sistema"
        assert by_action(found)["confirm_receipt"]["reason"].startswith("La factura se envió; Clientes residenciales no pide confirmar")
        upcoming = [each["text"] for each in found["next"]]
        assert any("El sistema le recuerda al cliente" in each for each in upcoming)
        assert any("el sistema suspende el servicio" in each for each in upcoming)
        assert (await told.get("/worklist", "marta.zelaya"))["items"] == []


@rule("VIP-5", "VIP-6", "VIP-8", "VIP-10", "VIP-11")
async def test_the_worklist_through_a_month(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        invoice = await told.invoice(customer)
        ana = told.served.as_("ana.martinez")
        assert await reasons(told) == [["invoice_not_sent"]]
        await ana.post(f"/customers/{customer}/invoice-dispatches", json={"invoice_id": str(invoice)})
        assert await reasons(told) == [["receipt_not_confirmed"]]
        receipt = {"kind": "receipt_confirmed", "channel": "teléfono", "said": "La recibió."}
        await ana.post(f"/customers/{customer}/contacts", json=receipt)
        assert await reasons(told) == []
        await told.served.at(local("2026-03-06 08:00"))
        assert await reasons(told) == [["follow_up"]]
        await ana.post(f"/customers/{customer}/promises", json={"amount": MONEY, "due_at": "2026-03-20T17:00:00-06:00"})
        assert await reasons(told) == []
        await told.served.at(local("2026-03-20 08:00"))
        assert await reasons(told) == [["promise_due"]]
        await told.served.at(local("2026-03-21 08:00"))
        assert await reasons(told) == [["promise_broken", "follow_up"]]
        await told.served.at(local("2026-03-26 00:00"))
        item = (await told.get("/worklist"))["items"][0]
        assert [each["reason"] for each in item["reasons"]] == ["promise_broken", "notice_to_send", "follow_up"]
        assert item["reasons"][1]["text"] == (
            "Falta el aviso de suspensión; para poder suspender el sábado 28 de marzo a las 00:00, envíelo el jueves 26 de marzo."
        )
        await ana.post(f"/customers/{customer}/suspension-notices", json={})
        await told.notice_accepted()
        assert await reasons(told) == [["promise_broken", "follow_up"]]
        await told.served.at(local("2026-03-28 00:00"))
        assert await reasons(told) == [["cut_possible", "promise_broken", "follow_up"]]
        await ana.post(f"/customers/{customer}/suspensions", json={})
        await told.suspended()
        await told.reported(customer)
        item = (await told.get("/worklist"))["items"][0]
        assert [(each["reason"], each["next_action"], each["rule"]["id"]) for each in item["reasons"]] == [
            ("reconnect", "reconnect", "VIP-20")
        ]


async def test_the_most_urgent_and_then_the_larger_debt_comes_first(database: OpenDatabase) -> None:
    async with scene(database) as told:
        small, large, late = await told.vip("C-1"), await told.vip("C-2"), await told.vip("C-3", assigned_agent="carlos.rivera")
        for customer, total in ((small, "460.00"), (large, "1725.00")):
            await told.invoice(customer, total)
        await told.invoice(late, "100.00", period="2026-02")  # its notice is due since the 26th of February
        listed = (await told.get("/worklist", "marta.zelaya"))["items"]
        assert [each["customer_id"] for each in listed] == [str(late), str(large), str(small)]
        page = await told.get("/worklist?limit=1", "marta.zelaya")
        assert page["total"] == 3
        seen = [page["items"][0]["customer_id"]]
        while page["next"]:
            page = await told.get(f"/worklist?limit=1&cursor={page['next']}", "marta.zelaya")
            seen += [each["customer_id"] for each in page["items"]]
        assert seen == [each["customer_id"] for each in listed]
        assert [each["customer_id"] for each in (await told.get("/worklist"))["items"]] == [str(large), str(small)]
        assert [each["customer_id"] for each in (await told.get("/worklist?agent=carlos.rivera", "marta.zelaya"))["items"]] == [str(late)]


async def test_the_timeline_tells_the_month_in_order_with_who_and_rule(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        ana = told.served.as_("ana.martinez")
        await told.served.at(local("2026-03-26 08:00"))
        await ana.post(f"/customers/{customer}/suspension-notices", json={"reason": "Falta de pago."})
        await told.notice_accepted()
        await told.served.at(local("2026-03-28 08:00"))
        await ana.post(f"/customers/{customer}/suspensions", json={})
        await told.suspended()
        await told.reported(customer)
        await ana.post(f"/customers/{customer}/reconnections", json={"basis": "payment"})
        entries = (await told.get(f"/customers/{customer}/timeline"))["items"]
        assert [(each["kind"], each["who"], each["rule"] and each["rule"]["id"]) for each in entries] == [
            ("registered", None, "VIP-2"),
            ("segment", "sofia.mejia", "VIP-2"),
            ("invoice", None, "VIP-3"),
            ("suspension_notice", "ana.martinez", "VIP-10"),
            ("suspension_notice_accepted", None, "VIP-10"),
            ("suspension", "ana.martinez", "VIP-12"),
            ("suspended", None, "VIP-15"),
            ("status", "sistema", "VIP-15"),
            ("payment_reported", "ines.reyes", None),
            ("reconnection", "ana.martinez", "VIP-20"),
        ]
        assert entries[3]["text"] == "Se avisa a los escritorios de la suspensión por $460.00: Falta de pago."
        assert entries[3]["local"] == "jueves 26 de marzo de 2026 a las 08:00"
        first = await told.get(f"/customers/{customer}/timeline?limit=4")
        rest = await told.get(f"/customers/{customer}/timeline?limit=50&cursor={first['next']}")
        assert first["items"] + rest["items"] == entries
