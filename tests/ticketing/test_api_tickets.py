"""Tickets, tasks, switches and pictures over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from services.ticketing.rules.states import SwitchState
from shared.db import Database, execute
from tests.support.rules import rule
from tests.support.service import Served
from tests.support.transport import until
from tests.ticketing.support import Debtor, plan, story, ticketing, tickets

Open = Callable[[str], Awaitable[Database]]


async def finish(client: httpx.AsyncClient, ticket: dict[str, Any], step: str, **body: Any) -> httpx.Response:
    headers = {"if-match": f'"{ticket["version"]}"'}
    return await client.post(f"/tickets/{ticket['id']}/steps/{step}/finish", json={"outcome": "done", **body}, headers=headers)


async def only_ticket(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    found: list[dict[str, Any]] = (await client.get("/tickets", params=params)).json()["items"]
    shown = (await client.get(f"/tickets/{found[0]['id']}")).json()
    assert isinstance(shown, dict)
    return shown


async def third_party(served: Served, **more: Any) -> Debtor:
    debtor = Debtor(delivery="third_party", **more)
    await served.deliver(*debtor.known(), debtor.requested())
    return debtor


@rule("VIP-14", "VIP-15")
async def test_engineering_confirms_and_only_then_the_agent_completes(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await third_party(served)
        agent, engineer = served.as_("ana.martinez"), served.as_("oscar.banegas")
        ticket = await only_ticket(agent)
        assert (ticket["kind"], ticket["desk"], ticket["state"]) == ("SUSPENDIDO CLIENTE VIP", "ingenieria", "open")

        early = await finish(agent, ticket, "completar")
        assert (early.status_code, early.json()["rule"]) == (409, "VIP-14")
        assert "Ingeniería suspende" in early.json()["remedy"]
        stranger = await finish(agent, ticket, "confirmar", comment="Ya está")
        assert (stranger.status_code, stranger.json()["rule"]) == (409, "VIP-14")
        assert stranger.json()["remedy"] == "Lo termina INGENIERIA SPS."
        silent = await finish(engineer, ticket, "confirmar")
        assert (silent.status_code, silent.json()["errors"][0]["field"]) == (409, "captured.comentario")
        assert await only_ticket(agent) == ticket

        assert (await finish(engineer, ticket, "confirmar", comment="Suspendido, caso 88-1024")).status_code == 200
        await served.work()
        assert await story(served) == []
        ticket = await only_ticket(agent)
        assert (await finish(engineer, ticket, "completar")).json()["remedy"] == "Lo termina Ana Martínez."
        assert (await finish(agent, ticket, "completar")).status_code == 200
        await served.work()
        assert await story(served) == ["ServiceSuspended"]
        closed = await only_ticket(agent)
        assert (closed["outcome"], closed["outcome_label"]) == ("suspended", "Servicio suspendido")
        assert closed["comment"] == "Suspendido, caso 88-1024"


@rule("VIP-22", "VIP-24")
async def test_third_party_reconnection_goes_to_engineering_and_the_agent_activates(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor(delivery="third_party")
        await served.deliver(*debtor.known(), debtor.reconnection("payment"))
        engineer, agent = served.as_("oscar.banegas"), served.as_("ana.martinez")
        tasks = (await engineer.get("/tasks", params={"desk": "ingenieria"})).json()["items"]
        assert [(each["kind"], each["step"]) for each in tasks] == [("RECONEXION CLIENTE VIP", "solicitar")]
        ticket = await only_ticket(agent)
        assert (await finish(agent, ticket, "completar")).status_code == 200  # Engineering's confirmation is not asked for here
        await served.work()
        assert await tickets(served) == [("RECONEXION CLIENTE VIP", "reconnected")]
        assert (await engineer.get("/tasks", params={"desk": "ingenieria"})).json()["items"] == []


async def test_a_payment_after_the_confirmation_completes_the_cut_and_sends_it_back_to_engineering(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = await third_party(served)
        engineer = served.as_("oscar.banegas")
        ticket = await only_ticket(engineer)
        await finish(engineer, ticket, "confirmar", comment="Suspendido")
        await served.deliver(debtor.reported())
        await served.work()
        assert await story(served) == ["ServiceSuspended", "ReconnectionOrdered (payment)"]
        shown = (await engineer.get(f"/tickets/{ticket['id']}")).json()
        done = next(each for each in shown["steps"] if each["code"] == "completar")
        assert done["finished_by"] == "sistema"
        assert "el sistema completa la suspensión" in done["comment"]
        tasks = (await engineer.get("/tasks")).json()["items"]
        assert [(each["kind"], each["step"]) for each in tasks] == [("RECONEXION CLIENTE VIP", "solicitar")]


async def test_what_no_person_asked_for_is_the_agents_else_the_desks(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        for agent in ("carlos.rivera", None):
            await third_party(served, asks="sistema", agent=agent)
        engineer, carlos = served.as_("oscar.banegas"), served.as_("carlos.rivera")
        for listed in (await engineer.get("/tickets")).json()["items"]:
            await finish(engineer, listed, "confirmar", comment="Suspendido")
        assert [each["step"] for each in (await carlos.get("/tasks")).json()["items"]] == ["completar"]
        assert [each["step"] for each in (await engineer.get("/tasks")).json()["items"]] == ["completar"]


async def test_two_people_cannot_finish_the_same_step(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await third_party(served)
        one, other = served.as_("oscar.banegas"), served.as_("irma.lopez", ["ingenieria"])
        ticket = await only_ticket(one)
        assert (await finish(one, ticket, "confirmar", comment="Suspendido")).status_code == 200
        assert (await finish(other, ticket, "confirmar", comment="Yo también")).status_code == 412
        fresh = await only_ticket(other)
        late = await finish(other, fresh, "confirmar", comment="Yo también")
        assert (late.status_code, late.json()["detail"]) == (
            409,
            "El paso «Ingeniería suspende con el proveedor y lo confirma con un comentario» ya lo terminó oscar.banegas.",
        )
        assert (await one.post(f"/tickets/{ticket['id']}/steps/confirmar/finish", json={"outcome": "done"})).status_code == 428


async def test_of_two_people_who_finish_a_step_at_once_one_is_told_that_it_has_changed(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await third_party(served)
        people = served.as_("oscar.banegas"), served.as_("irma.lopez", ["ingenieria"])
        ticket = await only_ticket(people[0])
        async with served.runtime.database.transaction() as session:
            await execute(session, "SELECT 1 FROM customer FOR UPDATE")
            both = [asyncio.create_task(finish(each, ticket, "confirmar", comment="Suspendido")) for each in people]
            await until(lambda: served.waits(2))
        assert sorted([(await each).status_code for each in both]) == [200, 412]


async def test_bad_input_names_the_field_and_changes_nothing(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await third_party(served)
        engineer = served.as_("oscar.banegas")
        ticket = await only_ticket(engineer)
        for body, field in (
            ({"outcome": "hecho"}, "outcome"),
            ({"captured": {"comentario": 7}}, "captured.comentario"),
            ({"captured": {"comentario": "Sí", "coment": "x"}}, "captured.coment"),
            ({"motivo": "x"}, "motivo"),
        ):
            answer = await finish(engineer, ticket, "confirmar", **body)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
        assert (await finish(engineer, ticket, "confirma")).json()["errors"][0]["field"] == "step"
        assert await only_ticket(engineer) == ticket


async def test_a_person_resolves_what_the_network_does_not_say(database: Open) -> None:
    async with ticketing(await database("ticketing"), network="manual") as served:
        debtor = Debtor()
        await served.deliver(*debtor.known(), debtor.requested())
        await served.work()
        engineer = served.as_("oscar.banegas")
        switch = (await engineer.get("/switches", params={"state": SwitchState.UNKNOWN})).json()["items"][0]
        body = {"outcome": "done", "detail": "El puerto está cerrado"}
        assert (await served.as_("ana.martinez").post(f"/switches/{switch['id']}/resolve", json=body)).status_code == 403
        solved = await engineer.post(f"/switches/{switch['id']}/resolve", json=body)
        assert (solved.json()["state"], solved.json()["detail"]) == ("DONE", "El puerto está cerrado (oscar.banegas)")
        assert await story(served) == ["ServiceSuspended"]
        assert (await engineer.post(f"/switches/{switch['id']}/resolve", json=body)).status_code == 409


async def test_lists_are_paged_and_filtered(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        for number in range(5):
            await third_party(served, logins=[f"a{number}"])
        own = Debtor()
        await plan(served, "unknown")
        await served.deliver(*own.known(), own.requested())
        reader = served.as_("marta.zelaya")
        first = (await reader.get("/tickets", params={"limit": 4})).json()
        second = (await reader.get("/tickets", params={"limit": 4, "cursor": first["next"]})).json()
        numbers = [each["number"] for each in first["items"] + second["items"]]
        assert len(numbers) == 6
        assert numbers == sorted(numbers, reverse=True)
        assert len((await reader.get("/tickets", params={"desk": "ingenieria", "state": "open"})).json()["items"]) == 5
        assert len((await reader.get("/tickets", params={"customer_id": str(own.id)})).json()["items"]) == 1
        page = (await reader.get("/tasks", params={"desk": "ingenieria", "limit": 3})).json()
        rest = (await reader.get("/tasks", params={"desk": "ingenieria", "limit": 3, "cursor": page["next"]})).json()
        assert len({each["ticket_id"] for each in page["items"] + rest["items"]}) == 5
        metrics = (await reader.get("/metrics")).text
        assert 'reconecta_ticketing_switches{kind="QUEUED",service="ticketing"} 1.0' in metrics
        assert 'reconecta_ticketing_tasks_open{kind="ingenieria",service="ticketing"} 5.0' in metrics


async def test_pictures_show_where_a_ticket_is(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await third_party(served)
        engineer = served.as_("oscar.banegas")
        ticket = await only_ticket(engineer)
        await finish(engineer, ticket, "confirmar", comment="Suspendido")
        text = (await engineer.get(f"/tickets/{ticket['id']}/diagram", params={"format": "mermaid"})).text
        assert "Óscar Banegas, 28/03/2026 09:00" in text
        assert [line.rsplit(":::")[1] for line in text.splitlines() if line.startswith("paso_") and ":::" in line] == [
            "finished",
            "open",
            "automatic",
        ]
        picture = await engineer.get(f"/tickets/{ticket['id']}/diagram")
        assert picture.headers["content-type"].startswith("image/svg+xml")
        assert "INGENIERIA SPS" in picture.text and "<foreignObject" not in picture.text
        plain = await engineer.get("/procedures/suspension_cliente_vip/diagram", params={"format": "mermaid"})
        assert plain.text.count(":::automatic") == 1
        assert (await engineer.get("/procedures/suspension/diagram")).status_code == 404
        procedures = (await engineer.get("/procedures")).json()
        assert {"suspension_cliente_vip", "reconexion_cliente_vip_terceros"} <= {each["code"] for each in procedures}
        assert (await engineer.get("/procedures/suspendido_cliente_vip")).json()["cancel"]["until"] == ["confirmar"]
