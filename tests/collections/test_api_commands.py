"""What an agent may order over HTTP, what is refused and why, and what wrong input is told. A refused command changes nothing."""

import asyncio
from typing import Any
from uuid import UUID

from shared.events import Event
from shared.events.collections import (
    PaymentPlanAgreed,
    PromiseMade,
    ReconnectionRequested,
    SuspensionNoticeRequested,
    SuspensionRequested,
)
from tests.collections.api_scene import OpenDatabase, Scene, local, scene
from tests.support.rules import rule

MONEY = {"amount": "460.00", "currency": "USD"}
DUE = "2026-03-20T17:00:00-06:00"


async def owing(told: Scene, **given: Any) -> UUID:
    """A customer of Ana's who owes March and has not paid by day 10."""
    customer = await told.vip(**given)
    await told.invoice(customer)
    await told.served.at(local("2026-03-10 09:00"))
    return customer


async def post(told: Scene, customer: UUID, path: str, body: dict[str, Any], person: str = "ana.martinez") -> Any:
    return await told.served.as_(person).post(f"/customers/{customer}/{path}", json=body)


async def noticed(told: Scene, customer: UUID, at: str = "2026-03-26 08:00") -> None:
    """The desks are told, and every mail server takes it at once."""
    await told.served.at(local(at))
    answer = await post(told, customer, "suspension-notices", {})
    assert answer.status_code == 202, answer.text
    await told.notice_accepted()


async def nothing_told(told: Scene, *types: type[Event]) -> bool:
    return await told.served.published(*types) == []


@rule("VIP-9", "VIP-10", "VIP-12")
async def test_a_cut_is_solicitada_once_everything_allows_it(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        await noticed(told, customer)
        await told.served.at(local("2026-03-27 23:59"))
        early = await post(told, customer, "suspensions", {})
        assert (early.status_code, early.json()["rule"]) == (409, "VIP-12")
        await told.served.at(local("2026-03-28 00:00"))
        answer = await post(told, customer, "suspensions", {"reason": "Se habló tres veces."})
        assert answer.status_code == 202, answer.text
        made = answer.json()
        assert (made["state"], made["label"], made["suspended_at"]) == ("REQUESTED", "solicitada", None)
        assert "SUSPENSION CLIENTE VIP" in made["message"]
        assert answer.headers["location"] == f"/collections/customers/{customer}"
        shown = await told.served.as_("ana.martinez").get(f"/customers/{customer}")
        assert shown.headers["etag"] == answer.headers["etag"]
        assert shown.json()["status"]["label"] == "CLIENTE VIP"
        again = await post(told, customer, "suspensions", {})
        assert again.status_code == 409
        assert "ya está solicitada" in again.json()["detail"]
        assert len(await told.served.published(SuspensionRequested)) == 1


@rule("VIP-9")
async def test_only_the_assigned_agent_starts_it(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        await noticed(told, customer)
        await told.served.at(local("2026-03-28 08:00"))
        for person in ("carlos.rivera", "marta.zelaya", "admin"):
            answer = await post(told, customer, "suspensions", {}, person)
            assert (answer.status_code, answer.json()["rule"]) == (409, "VIP-9")
            assert "Ana Martínez" in answer.json()["detail"]
        answer = await post(told, customer, "suspensions", {}, "oscar.banegas")
        assert answer.status_code == 403
        assert await nothing_told(told, SuspensionRequested)


@rule("VIP-12")
async def test_while_a_reported_payment_covers_the_debt_a_notice_that_was_given_is_not_said_to_be_missing(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        await told.served.at(local("2026-03-26 08:00"))
        await post(told, customer, "suspension-notices", {"reason": "Falta de pago de marzo."})
        await told.notice_accepted()
        await told.served.at(local("2026-03-28 08:00"))
        await told.reported(customer)
        answer = await post(told, customer, "suspensions", {})
        assert (answer.status_code, answer.json()["rule"]) == (409, "VIP-12")
        assert "cubren todo lo que debe" in answer.json()["detail"] and "aviso" not in answer.json()["detail"]


@rule("VIP-10")
async def test_without_a_notice_of_24_hours_nobody_is_cut(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        await told.served.at(local("2026-03-28 08:00"))
        answer = await post(told, customer, "suspensions", {})
        assert (answer.status_code, answer.json()["rule"]) == (409, "VIP-10")
        assert "Falta el aviso" in answer.json()["detail"]
        await post(told, customer, "suspension-notices", {"reason": "Falta de pago de marzo."})
        pending = await post(told, customer, "suspensions", {})
        assert "todavía no fue aceptado" in pending.json()["detail"]
        await told.notice_accepted()
        await told.served.at(local("2026-03-29 07:59"))
        late = await post(told, customer, "suspensions", {})
        assert late.json()["rule"] == "VIP-10"
        assert "todavía faltan 1 minuto" in late.json()["detail"]
        await told.served.at(local("2026-03-29 08:00"))
        assert (await post(told, customer, "suspensions", {})).status_code == 202
        notice = (await told.served.published(SuspensionNoticeRequested))[0].event
        assert (notice.notice, notice.reason, notice.requested_by) == ("aviso_suspension_vip", "Falta de pago de marzo.", "ana.martinez")


@rule("VIP-11")
async def test_a_second_promise_within_24_hours_and_no_third(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        first = await post(told, customer, "promises", {"amount": MONEY, "due_at": DUE})
        assert first.status_code == 201, first.text
        assert (first.json()["ordinal"], first.json()["state"]) == (1, "RUNNING")
        await told.served.at(local("2026-03-20 18:00"))
        late = await post(told, customer, "promises", {"amount": MONEY, "due_at": "2026-03-21T17:00:01-06:00"})
        assert (late.status_code, late.json()["rule"]) == (409, "VIP-11")
        assert "el sábado 21 de marzo a las 17:00" in late.json()["detail"]
        second = await post(told, customer, "promises", {"amount": MONEY, "due_at": "2026-03-21T17:00:00-06:00"})
        assert (second.status_code, second.json()["ordinal"]) == (201, 2)
        await told.served.at(local("2026-03-21 17:30"))
        third = await post(told, customer, "promises", {"amount": MONEY, "due_at": "2026-03-22T12:00:00-06:00"})
        assert (third.status_code, third.json()["rule"]) == (409, "VIP-11")
        assert "admite 2 por mes" in third.json()["detail"]
        assert [each["state"] for each in (await told.get(f"/customers/{customer}"))["promises"]] == ["BROKEN", "BROKEN"]


WRONG_PROMISES: list[tuple[dict[str, Any], str, str]] = [
    ({"amount": MONEY, "due_at": "2026-03-09T17:00:00-06:00"}, "due_at", "ya pasó"),
    ({"amount": MONEY, "due_at": "2026-03-20T17:00:00"}, "due_at", "falta la zona horaria"),
    ({"amount": MONEY, "due_at": "9999-12-31T23:59:59-12:00"}, "due_at", "el año debe estar entre 2000 y 2199"),
    ({"amount": MONEY, "due_at": "0001-01-01T00:00:00+14:00"}, "due_at", "el año debe estar entre 2000 y 2199"),
    ({"amount": MONEY, "due_at": "mañana"}, "due_at", "no es una fecha con hora"),
    ({"amount": {"amount": "-460.00", "currency": "USD"}, "due_at": DUE}, "amount.amount", "mayor que 0"),
    ({"amount": {"amount": "0", "currency": "USD"}, "due_at": DUE}, "amount.amount", "mayor que 0"),
    ({"amount": {"amount": "460.001", "currency": "USD"}, "due_at": DUE}, "amount.amount", "2 decimales"),
    ({"amount": {"amount": "461.00", "currency": "USD"}, "due_at": DUE}, "amount.amount", "más de lo que debe: $460.00"),
    ({"amount": {"amount": "460.00", "currency": "HNL"}, "due_at": DUE}, "amount.currency", "no en HNL"),
    ({"amount": {"amount": "460.00", "currency": "dólares"}, "due_at": DUE}, "amount.currency", "tres letras mayúsculas"),
    ({"amount": {"amount": "NaN", "currency": "USD"}, "due_at": DUE}, "amount.amount", "no es un número finito"),
    ({"amount": MONEY, "due_at": DUE, "nota": "x"}, "nota", "este campo no existe"),
    ({"due_at": DUE}, "amount", "falta"),
]


async def test_a_promise_that_makes_no_sense_names_field_and_remedy_and_keeps_nothing(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        for body, field, message in WRONG_PROMISES:
            answer = await post(told, customer, "promises", body)
            problem = answer.json()
            assert (answer.status_code, [each["field"] for each in problem["errors"]]) == (422, [field]), body
            assert message in problem["errors"][0]["message"]
            assert problem["remedy"]
        assert (await told.get(f"/customers/{customer}"))["promises"] == []
        assert await nothing_told(told, PromiseMade)


@rule("VIP-3")
async def test_a_promise_reaches_to_the_months_last_day_and_not_further(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        answer = await post(told, customer, "promises", {"amount": MONEY, "due_at": "2026-04-02T12:00:00-06:00"})
        assert (answer.status_code, answer.json()["rule"]) == (409, "VIP-11")
        assert "el martes 31 de marzo, hasta que termine el día" in answer.json()["detail"]
        assert (await post(told, customer, "promises", {"amount": MONEY, "due_at": "2026-03-31T23:59:59-06:00"})).status_code == 201


@rule("VIP-23")
async def test_a_plan_pays_all_that_is_owed_in_order(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        parts = [
            {"due_at": "2026-04-15T17:00:00-06:00", "amount": {"amount": "230.00", "currency": "USD"}},
            {"due_at": "2026-04-30T17:00:00-06:00", "amount": {"amount": "229.00", "currency": "USD"}},
        ]
        short = await post(told, customer, "payment-plans", {"instalments": parts})
        assert (short.status_code, short.json()["errors"][0]["field"]) == (422, "instalments")
        assert "suman $459.00 y debe $460.00" in short.json()["errors"][0]["message"]
        parts[1]["amount"] = {"amount": "230.00", "currency": "USD"}
        backwards = await post(told, customer, "payment-plans", {"instalments": parts[::-1]})
        assert [each["field"] for each in backwards.json()["errors"]] == ["instalments.1.due_at"]
        answer = await post(told, customer, "payment-plans", {"instalments": parts})
        assert answer.status_code == 201, answer.text
        assert [each["amount"]["text"] for each in answer.json()["instalments"]] == ["$230.00", "$230.00"]
        shown = await told.get(f"/customers/{customer}")
        assert (shown["status"]["label"], shown["plan"]["state"]) == ("PLAN DE PAGO COBROS", "RUNNING")
        assert len(await told.served.published(PaymentPlanAgreed)) == 1


@rule("VIP-9", "VIP-23")
async def test_a_review_keeps_the_customer_from_being_cut_until_it_is_concluded(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        await noticed(told, customer)
        await told.served.at(local("2026-03-28 08:00"))
        opened = await post(told, customer, "reviews", {"reason": "Reclama el cargo de instalación."})
        assert opened.status_code == 201, opened.text
        assert (await told.get(f"/customers/{customer}"))["status"]["label"] == "INVESTIGAR"
        refused = await post(told, customer, "suspensions", {})
        assert (refused.status_code, refused.json()["rule"]) == (409, "VIP-9")
        assert "solo se suspende a un cliente en CLIENTE VIP" in refused.json()["detail"]
        closed = await post(told, customer, "reviews/close", {"conclusion": "El cargo es correcto."})
        assert (closed.status_code, closed.json()["conclusion"]) == (200, "El cargo es correcto.")
        assert (await post(told, customer, "reviews/close", {"conclusion": "Otra vez."})).status_code == 409
        assert (await post(told, customer, "suspensions", {})).status_code == 202


@rule("VIP-20")
async def test_a_reconnection_needs_what_it_rests_on(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        none = await post(told, customer, "reconnections", {"basis": "payment"})
        assert (none.status_code, none.json()["rule"]) == (409, "VIP-20")
        await noticed(told, customer)
        await told.served.at(local("2026-03-28 08:00"))
        await post(told, customer, "suspensions", {})
        await told.suspended()
        unpaid = await post(told, customer, "reconnections", {"basis": "payment"})
        assert "Faltan $460.00 por reportar" in unpaid.json()["detail"]
        await told.reported(customer)
        answer = await post(told, customer, "reconnections", {"basis": "payment"})
        assert answer.status_code == 202, answer.text
        assert (answer.json()["label"], answer.json()["target_status"]) == ("reconexión solicitada", "temporary_active")
        assert (await told.get(f"/customers/{customer}"))["status"]["label"] == "SUSPENDIDO CLIENTE VIP"
        twice = await post(told, customer, "reconnections", {"basis": "payment"})
        assert twice.status_code == 409
        assert len(await told.served.published(ReconnectionRequested)) == 1


async def test_two_agents_at_once_make_one_promise(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        body = {"amount": MONEY, "due_at": DUE}
        answers = await asyncio.gather(*(post(told, customer, "promises", body, person) for person in ("ana.martinez", "carlos.rivera")))
        assert sorted(each.status_code for each in answers) == [201, 409]
        refused = next(each.json() for each in answers if each.status_code == 409)
        assert refused["rule"] == "VIP-11"
        assert refused["remedy"]
        assert len((await told.get(f"/customers/{customer}"))["promises"]) == 1


async def test_who_read_an_older_version_is_told_so(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        ana, carlos = told.served.as_("ana.martinez"), told.served.as_("carlos.rivera")
        seen = (await carlos.get(f"/customers/{customer}")).headers["etag"]
        await ana.post(f"/customers/{customer}/reviews", json={"reason": "Reclama un cargo."})
        body = {"amount": MONEY, "due_at": DUE}
        answer = await carlos.post(f"/customers/{customer}/promises", json=body, headers={"if-match": seen})
        assert answer.status_code == 412
        assert answer.json()["remedy"]
        assert await nothing_told(told, PromiseMade)
        fresh = (await carlos.get(f"/customers/{customer}")).headers["etag"]
        answer = await carlos.post(f"/customers/{customer}/promises", json=body, headers={"if-match": fresh})
        assert answer.status_code == 201
        wrong = await carlos.post(f"/customers/{customer}/promises", json=body, headers={"if-match": "ayer"})
        assert wrong.status_code == 422


async def test_a_stranger_is_asked_who_it_is_and_an_unknown_customer_is_not_there(database: OpenDatabase) -> None:
    async with scene(database) as told:
        missing = await told.served.as_("ana.martinez").get("/customers/01920000-0000-7000-8000-000000000001/explanation")
        assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
        client = told.served.as_("ana.martinez")
        nobody = await client.get("/customers", headers={"authorization": ""})
        assert nobody.status_code == 401


async def test_text_that_no_database_keeps_is_refused_by_its_field(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await owing(told)
        said = {"kind": "other", "channel": "teléfono", "said": "hola\x00mundo"}
        answer = await post(told, customer, "contacts", said)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "said")
        assert "carácter nulo" in answer.json()["errors"][0]["message"]
        ana = told.served.as_("ana.martinez")
        for query in ("q=a%00", "external_id=%00", "policy=%00"):
            found = await ana.get(f"/customers?{query}")
            assert (found.status_code, found.json()["errors"][0]["field"]) == (422, query.split("=")[0])
        rows = [{"external_id": "C-1\x00", "note": "Plan Dedicado."}]
        listed = await told.served.as_("sofia.mejia").post("/vip-lists", json={"period": "2026-03", "rows": rows})
        assert (listed.status_code, listed.json()["errors"][0]["field"]) == (422, "rows.0.external_id")
