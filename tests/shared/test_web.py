"""The HTTP edge: a command happens once, wholly, by somebody known, and every error is a problem in Spanish."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import uuid4

import httpx
import pytest
import structlog
from fastapi import Response
from pydantic import AwareDatetime
from sqlalchemy import MetaData

from shared import sorting, trail
from shared.auth import Principal
from shared.db import Database, execute
from shared.errors import Refused, expect_version
from shared.idempotency import Answer, Command, fingerprint
from shared.money import PositiveAmount
from shared.routing import EventRouter
from shared.service import Service
from shared.trail import Done
from shared.web import (
    Actor,
    Documents,
    IfMatch,
    Input,
    Now,
    Order,
    Page,
    Session,
    command_router,
    page,
    permits,
    set_etag,
    sorted_by,
)
from tests.support.service import Served, operator, serve

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
DAYS = sorting.Sorting("day", sorting.day("day"), day=sorting.day("day"), name=sorting.text("name"))
router = command_router(tags=["days"])
gates: list[asyncio.Event] = []  # the last one is set when a slow request is under way


class Day(Input):
    """A day off, as this test's service keeps it."""

    day: date
    name: str
    amount: PositiveAmount | None = None
    seen_at: AwareDatetime | None = None


class Kept(Input):
    day: date
    name: str


@router.post("/days", status_code=201)
async def keep(body: Day, session: Session, actor: Actor, documents: Documents, now: Now, response: Response) -> Kept:
    """Keep a day."""
    permits(actor, documents, "collections.work")
    if body.name in {"slow", "raced", "raced and refused"}:
        gates[-1].set()
        await asyncio.sleep(0.4)
    await execute(session, "INSERT INTO calendar_holiday (day, name) VALUES ($1, $2)", body.day, body.name)
    if body.name in {"refuse", "raced and refused"}:
        raise Refused("VIP-12", "Todavía no termina el día 27.", remedy="Espere al 28/03/2026.")
    if body.name == "break":
        raise RuntimeError("secret: password=hunter2")
    if body.name == "cut":
        await execute(session, "SELECT pg_terminate_backend(pg_backend_pid())")
    response.headers["Location"] = f"/days/{body.day}"
    return Kept(day=body.day, name=body.name)


@router.get("/days")
async def list_days(session: Session, order: Annotated[Order, sorted_by(DAYS)]) -> Page[Kept]:
    """All days, in pages."""
    found = await order.rows(session, "SELECT day, name {key} FROM calendar_holiday WHERE true {page}")
    return page(found, order, show=lambda row: Kept(day=row.day, name=row.name))


@router.get("/versions/{version}")
async def show_version(version: int, response: Response) -> dict[str, int]:
    """Something with a version."""
    set_etag(response, version)
    return {"version": version}


@router.patch("/versions/{version}")
async def change_version(version: int, seen: IfMatch, response: Response) -> dict[str, int]:
    """Change it, if the caller has seen it as it is."""
    expect_version(version, seen)
    set_etag(response, version + 1)
    return {"version": version + 1}


SERVICE = Service(name="billing", description="Una prueba", events=EventRouter(), tables=MetaData(), routers=(router,))


@pytest.fixture
async def served(database: Callable[[str], Awaitable[Database]]) -> AsyncIterator[Served]:
    async with serve(SERVICE, await database("billing"), START) as found:
        yield found


@pytest.fixture
def ana(served: Served) -> httpx.AsyncClient:
    return served.as_("ana.martinez")


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def days(served: Served) -> list[str]:
    return [row.name for row in await served.sql("SELECT name FROM calendar_holiday ORDER BY day")]


async def do(served: Served, statement: str) -> None:
    async with served.runtime.database.transaction() as session:
        await execute(session, statement)


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem that a response tells; what every one has is checked here."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["status"] == status and found["title"] and found["detail"] and found["type"].startswith("https://")
    assert found["trace_id"] == response.headers["trace-id"] and len(found["trace_id"]) == 32
    return found


# ---- once -------------------------------------------------------------------------------------------------------------------


async def test_a_repeated_command_gets_the_same_answer_and_happens_once(served: Served, ana: httpx.AsyncClient) -> None:
    same = key()
    first = await ana.post("/days", json={"day": "2026-03-19", "name": "San José"}, headers=same)
    again = await ana.post("/days", json={"day": "2026-03-19", "name": "San José"}, headers=same)
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (201, {"day": "2026-03-19", "name": "San José"})
    assert again.headers["location"] == first.headers["location"] == "/days/2026-03-19"
    assert again.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    assert await days(served) == ["San José"]


async def test_the_same_key_for_something_else(served: Served, ana: httpx.AsyncClient) -> None:
    same = key()
    await ana.post("/days", json={"day": "2026-03-19", "name": "San José"}, headers=same)
    found = problem(await ana.post("/days", json={"day": "2026-03-20", "name": "Otro"}, headers=same), 422)
    assert found["errors"][0]["field"] == "Idempotency-Key"
    problem(await ana.post("/days?more=1", json={"day": "2026-03-19", "name": "San José"}, headers=same), 422)
    assert await days(served) == ["San José"]


def test_what_makes_two_requests_the_same() -> None:
    assert len({fingerprint(b"a", b"bc"), fingerprint(b"ab", b"c"), fingerprint(b"abc", b""), fingerprint(b"abc")}) == 4


async def test_the_same_key_of_somebody_else_is_another_command(served: Served, ana: httpx.AsyncClient) -> None:
    same = key()
    await ana.post("/days", json={"day": "2026-03-19", "name": "San José"}, headers=same)
    other = await served.as_("carlos.rivera").post("/days", json={"day": "2026-03-20", "name": "De Carlos"}, headers=same)
    assert other.status_code == 201 and await days(served) == ["San José", "De Carlos"]


async def test_a_post_without_a_key(served: Served, ana: httpx.AsyncClient) -> None:
    ana.event_hooks = {"request": []}
    found = problem(await ana.post("/days", json={"day": "2026-03-19", "name": "San José"}), 400)
    assert "Idempotency-Key" in found["remedy"] and await days(served) == []


async def test_a_command_under_way_is_not_begun_again(served: Served, ana: httpx.AsyncClient) -> None:
    same, body = key(), {"day": "2026-03-19", "name": "slow"}
    gates.append(asyncio.Event())
    first = asyncio.create_task(ana.post("/days", json=body, headers=same))
    await asyncio.wait_for(gates[-1].wait(), 10)
    problem(await ana.post("/days", json=body, headers=same), 409)
    assert (await first).status_code == 201
    assert (await ana.post("/days", json=body, headers=same)).headers["idempotency-replayed"] == "true"


async def test_twenty_at_once_with_one_key_happen_once(served: Served, ana: httpx.AsyncClient) -> None:
    same, body = key(), {"day": "2026-03-19", "name": "once"}
    answers = await asyncio.gather(*(ana.post("/days", json=body, headers=same) for _ in range(20)))
    assert {each.status_code for each in answers} <= {201, 409}
    assert sum(each.status_code == 201 and "idempotency-replayed" not in each.headers for each in answers) == 1
    assert await days(served) == ["once"]


async def test_who_lost_the_race_for_a_key_gets_the_winners_answer(served: Served, ana: httpx.AsyncClient) -> None:
    """The winner commits between the loser's look and its own commit; whatever the loser runs into, it gets the stored answer."""
    actor = Principal("ana.martinez", "Ana Martínez", frozenset({"collections"}), "t", START)
    for name in ("raced", "raced and refused"):
        same, body = key(), json.dumps({"day": "2026-03-19", "name": name}).encode()
        gates.append(asyncio.Event())
        lost = asyncio.create_task(ana.post("/days", content=body, headers={**same, "content-type": "application/json"}))
        await asyncio.wait_for(gates[-1].wait(), 10)
        command = Command("ana.martinez", "POST /days", same["Idempotency-Key"], fingerprint(b"/days", b"", body))
        async with served.runtime.database.transaction() as session:
            answer = Answer(201, {"content-type": "application/json"}, b'{"won": true}')
            await trail.finish(session, [Done(actor, "POST", "/days", body, command, answer, None)], now=START)
        found = await lost
        assert (found.status_code, found.json(), found.headers["idempotency-replayed"]) == (201, {"won": True}, "true")
        assert await days(served) == []


# ---- what was asked, and nothing else --------------------------------------------------------------------------------------


async def test_a_parameter_that_nobody_knows_is_refused_with_the_nearest_one(served: Served, ana: httpx.AsyncClient) -> None:
    await ana.post("/days", json={"day": "2026-03-19", "name": "San José"})
    assert len((await ana.get("/days?limit=1")).json()["items"]) == 1
    found = problem(await ana.get("/days?limt=1&color=azul"), 422)
    assert found["errors"] == [
        {"field": "limt", "message": "este parámetro no existe aquí (¿quiso decir «limit»?)"},
        {"field": "color", "message": "este parámetro no existe aquí"},
    ]
    assert found["remedy"] == "Los parámetros de esta ruta son: cursor, format, limit, sort."


@pytest.mark.parametrize("path", ["/versions/1", "/dead-letters", "/health/live", "/health/ready", "/metrics", "/simulation"])
async def test_no_route_of_the_frame_ignores_a_parameter(served: Served, path: str) -> None:
    found = problem(await served.as_("ines.reyes").get(f"{path}?azar=1"), 422)
    assert found["errors"][0]["field"] == "azar"


async def test_a_command_with_an_unknown_parameter_changes_nothing(served: Served, ana: httpx.AsyncClient) -> None:
    found = problem(await ana.post("/days?prueba=1", json={"day": "2026-03-19", "name": "San José"}), 422)
    assert found["remedy"] == "Esta ruta no tiene parámetros: quítelos." and await days(served) == []


# ---- the pages for people ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_pages_of_routes_load_nothing_from_elsewhere(served: Served, ana: httpx.AsyncClient, path: str) -> None:
    page = await ana.get(path)
    assert page.status_code == 200 and '<html lang="es">' in page.text and "<title>Reconecta · billing: r" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    loaded = re.findall(r'(?:src|href|spec-url)="([^"]+)"', page.text)
    assert loaded and not [each for each in loaded if "//" in each]
    for each in loaded:
        if not each.startswith("data:"):
            assert (await ana.get(each)).status_code == 200, each


# ---- wholly -----------------------------------------------------------------------------------------------------------------


async def test_a_refusal_keeps_nothing_and_its_key_is_free(served: Served, ana: httpx.AsyncClient) -> None:
    same = key()
    found = problem(await ana.post("/days", json={"day": "2026-03-19", "name": "refuse"}, headers=same), 409)
    assert (found["rule"], found["remedy"]) == ("VIP-12", "Espere al 28/03/2026.")
    assert await days(served) == [] and await served.sql("SELECT 1 FROM idempotency_key") == []
    assert (await ana.post("/days", json={"day": "2026-03-19", "name": "ahora sí"}, headers=same)).status_code == 201


async def test_an_unexpected_error_shows_nothing_of_itself(served: Served, ana: httpx.AsyncClient) -> None:
    response = await ana.post("/days", json={"day": "2026-03-19", "name": "break"})
    found = problem(response, 500)
    assert "hunter2" not in response.text and "RuntimeError" not in response.text and found["remedy"]
    assert await days(served) == []


async def test_a_commit_that_fails_is_never_answered_with_success(served: Served, ana: httpx.AsyncClient) -> None:
    await do(
        served,
        """CREATE FUNCTION refuse_at_commit() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.name = 'late' THEN RAISE EXCEPTION 'too late'; END IF; RETURN NEW; END $$""",
    )
    await do(
        served,
        """CREATE CONSTRAINT TRIGGER late AFTER INSERT ON calendar_holiday DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse_at_commit()""",
    )
    try:
        same = key()
        response = await ana.post("/days", json={"day": "2026-03-19", "name": "late"}, headers=same)
        problem(response, 500)
        assert "too late" not in response.text
        assert await days(served) == [] and await served.sql("SELECT 1 FROM idempotency_key UNION ALL SELECT 1 FROM audit_entry") == []
    finally:
        await do(served, "DROP TRIGGER late ON calendar_holiday")
        await do(served, "DROP FUNCTION refuse_at_commit()")


async def test_a_database_that_goes_away_is_said_and_the_same_key_works_later(served: Served, ana: httpx.AsyncClient) -> None:
    same = key()
    found = problem(await ana.post("/days", json={"day": "2026-03-19", "name": "cut"}, headers=same), 503)
    assert "misma Idempotency-Key" in found["remedy"]
    assert (await ana.post("/days", json={"day": "2026-03-19", "name": "later"}, headers=same)).status_code == 201
    assert await days(served) == ["later"]


# ---- by whom ----------------------------------------------------------------------------------------------------------------


async def test_who_did_what_is_kept_for_every_write(served: Served, ana: httpx.AsyncClient) -> None:
    response = await ana.post("/days", json={"day": "2026-03-19", "name": "San José"})
    await ana.get("/days")
    await ana.post("/days", json={"day": "2026-03-20", "name": "refuse"})
    await ana.patch("/versions/1", headers={"If-Match": '"1"'})
    written = "SELECT person, name, desks, method, path, status, body, at, trace_id FROM audit_entry ORDER BY id"
    entry, change = await served.sql(written)
    assert (change.person, change.method, change.path, change.status) == ("ana.martinez", "PATCH", "/versions/1", 200)
    assert (entry.person, entry.name, list(entry.desks)) == ("ana.martinez", "Ana Martínez", ["cobros"])
    assert (entry.method, entry.path, entry.status, entry.at) == ("POST", "/days", 201, START)
    assert "San José" in entry.body and entry.trace_id == response.headers["trace-id"]
    marta = served.as_("marta.zelaya")
    latest, first = (await marta.get("/audit-entries")).json()["items"]
    assert (latest["path"], first["person"], first["desks"], first["body"]) == ("/versions/1", "ana.martinez", ["cobros"], entry.body)
    for some, found in (
        ("path=/days", [first]),
        ("method=PATCH", [latest]),
        ("person=marta.zelaya", []),
        (f"until={START:%Y-%m-%dT%H:%M:%SZ}", []),
        (f"since={START:%Y-%m-%dT%H:%M:%SZ}", [latest, first]),
    ):
        assert (await marta.get(f"/audit-entries?{some}")).json()["items"] == found, some
    problem(await ana.get("/audit-entries"), 403)


@pytest.mark.parametrize("header", [None, "Basic YTpi", "Bearer", "Bearer x.y.z"])
async def test_without_a_good_token_nothing_is_shown(ana: httpx.AsyncClient, header: str | None) -> None:
    del ana.headers["authorization"]
    sent = {"authorization": header} if header else {}
    for response in (await ana.get("/days", headers=sent), await ana.post("/days", json={}, headers=sent)):
        assert problem(response, 401)["remedy"]
        assert response.headers["www-authenticate"] == "Bearer"


async def test_without_the_permission(served: Served) -> None:
    found = problem(await served.as_("oscar.banegas").post("/days", json={"day": "2026-03-19", "name": "x"}), 403)
    assert found["detail"].startswith("Óscar Banegas (INGENIERIA SPS) no puede gestionar clientes: ")
    assert found["remedy"].startswith("Pueden: Gerente de Cobros y Créditos, Cobros y Créditos o Sistemas. ")  # desks' names, no codes
    assert "«collections.work»" in found["remedy"] and await days(served) == []


async def test_health_needs_no_token(ana: httpx.AsyncClient) -> None:
    del ana.headers["authorization"]
    assert (await ana.get("/health/live")).json() == (await ana.get("/health/ready")).json() == {"status": "ok"}


# ---- bad input --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"nombre": "x"}, "nombre", "este campo no existe"),
        ({"day": None}, "day", "no es una fecha: escriba 2026-03-01"),
        ({"day": "19/03/2026"}, "day", "no es una fecha: escriba 2026-03-01"),
        ({"seen_at": "2026-03-19T08:00:00"}, "seen_at", "falta la zona horaria: escriba por ejemplo 2026-03-01T08:00:00-06:00"),
        ({"amount": "-1.00"}, "amount", "debe ser mayor que 0"),
        ({"amount": "1.00001"}, "amount", "tiene demasiados decimales: a lo sumo 4"),
        ({"name": 7}, "name", "debe ser texto"),
    ],
)
async def test_bad_input_names_field_and_remedy(
    served: Served, ana: httpx.AsyncClient, change: dict[str, Any], field: str, message: str
) -> None:
    found = problem(await ana.post("/days", json={"day": "2026-03-19", "name": "x"} | change), 422)
    assert {"field": field, "message": message} in found["errors"] and found["remedy"]
    assert await days(served) == [] and await served.sql("SELECT 1 FROM idempotency_key") == []


async def test_what_is_no_json(ana: httpx.AsyncClient) -> None:
    found = problem(await ana.post("/days", content=b"{", headers={"content-type": "application/json"}), 422)
    assert found["errors"][0]["message"] == "no es JSON válido"


async def test_a_body_of_ten_megabytes(served: Served, ana: httpx.AsyncClient) -> None:
    huge = b'{"day":"2026-03-19","name":"' + b"x" * 10_000_000 + b'"}'
    found = problem(await ana.post("/days", content=huge, headers={"content-type": "application/json"}), 413)
    assert "1024 KiB" in found["detail"]

    async def unannounced() -> AsyncIterator[bytes]:
        for at in range(0, len(huge), 65_536):
            yield huge[at : at + 65_536]

    problem(await ana.post("/days", content=unannounced(), headers={"content-type": "application/json"}), 413)
    assert await days(served) == []


async def test_what_does_not_exist(ana: httpx.AsyncClient) -> None:
    problem(await ana.get("/nada"), 404)
    problem(await ana.delete("/days"), 405)


# ---- versions, pages, traces ------------------------------------------------------------------------------------------------


async def test_two_people_cannot_overwrite_each_other(ana: httpx.AsyncClient) -> None:
    etag = (await ana.get("/versions/7")).headers["etag"]
    assert etag == '"7"'
    changed = await ana.patch("/versions/7", headers={"if-match": etag})
    assert changed.status_code == 200 and changed.headers["etag"] == '"8"'
    assert "versión 6" in problem(await ana.patch("/versions/7", headers={"if-match": '"6"'}), 412)["detail"]
    problem(await ana.patch("/versions/7"), 428)
    problem(await ana.patch("/versions/7", headers={"if-match": "abc"}), 422)
    assert (await ana.patch("/versions/7", headers={"if-match": 'W/"7"'})).status_code == 200


async def test_pages_do_not_shift(served: Served, ana: httpx.AsyncClient) -> None:
    for day in range(1, 8):
        await ana.post("/days", json={"day": f"2026-05-{day:02d}", "name": f"día {day}"})
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        found = (await ana.get("/days", params=query)).json()
        seen += [each["name"] for each in found["items"]]
        if len(seen) == 3:
            await ana.post("/days", json={"day": "2026-04-30", "name": "entretanto"})
        if not found.get("next"):
            break
        query["cursor"] = found["next"]
    assert seen == [f"día {day}" for day in range(1, 8)]


@pytest.mark.parametrize(
    "params", [{"cursor": "x"}, {"cursor": "bnVsbA=="}, {"cursor": "WyJ4IiwgInkiXQ=="}, {"limit": 0}, {"limit": 201}, {"limit": "x"}]
)
async def test_pages_that_are_none(ana: httpx.AsyncClient, params: dict[str, Any]) -> None:
    assert problem(await ana.get("/days", params=params), 422)["errors"]


async def test_a_trace_goes_on(ana: httpx.AsyncClient) -> None:
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (await ana.get("/days", headers={"traceparent": given})).headers["trace-id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    one, other = await ana.get("/days", headers={"traceparent": "nonsense"}), await ana.get("/days")
    assert len(one.headers["trace-id"]) == len(other.headers["trace-id"]) == 32 and one.headers["trace-id"] != other.headers["trace-id"]


async def test_a_client_that_goes_away_in_its_body_alarms_nobody(served: Served, ana: httpx.AsyncClient) -> None:
    """Nothing of ours failed: there is nothing to repeat, to mend, or to wake somebody for."""
    sent: list[Any] = []
    parts: list[Any] = [{"type": "http.request", "body": b'{"day": "2026-', "more_body": True}, {"type": "http.disconnect"}]
    request = ana.build_request("POST", "/days", headers=key() | {"content-type": "application/json"})

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/days", "raw_path": b"/days", "query_string": b"", "root_path": ""}
    with structlog.testing.capture_logs() as logged:
        await served.app(
            scope | {"scheme": "http", "server": ("test", 80), "http_version": "1.1", "headers": request.headers.raw}, receive, send
        )
    assert [each["event"] for each in logged if each["log_level"] != "info"] == []
    assert sent == [] and await days(served) == []


async def test_who_reads_other_documents_than_the_rest_has_another_mark(database: Callable[[str], Awaitable[Database]]) -> None:
    """One process was started anew after a policy's file was changed, the others were not: each works, and they decide differently."""
    service, marks = Service("noc", "", EventRouter(), MetaData()), list[str]()
    for changed in ("", "0" * 64):
        using = operator().model_copy(update={"fingerprint": changed or operator().fingerprint})
        async with serve(service, await database("noc"), START, using=using) as served:
            lines = (await served.as_("admin").get("/metrics")).text.splitlines()
        marks += [each for each in lines if each.startswith("reconecta_documents{")]
    assert marks == [f'reconecta_documents{{kind="{each}",service="noc"}} 1.0' for each in (operator().fingerprint[:12], "0" * 12)]
