"""P1: one command's transaction behind the token: key claimed, aggregate locked and counted, row, event, audit entry, stored answer."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
from fastapi import Request, Response
from sqlalchemy import BigInteger, Column, Identity
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from shared.auth import Principal
from shared.db import Database, new_id, rows
from shared.envelopes import COLUMNS
from shared.idempotency import CLAIM, IdempotencyRow, fingerprint
from shared.outbox import OutboxRow, publish
from shared.trail import FINISH, AuditRow
from shared.web.asking import ACTOR as KNOWN
from shared.web.commands import run_command
from tests.bench import pgbench
from tests.bench.data import KEYS, NOW, Measured, empty
from tests.bench.pgbench import CONNECTIONS
from tests.bench.runner import Bench, Goal, Measure, rate

ROUTE = "/things/{id}/notes"
BODY = json.dumps({"amount": 1, "text": "x" * 80}).encode()
TABLES = """CREATE TABLE thing (id bigint PRIMARY KEY, version int NOT NULL, amount bigint NOT NULL);
CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, thing_id bigint NOT NULL REFERENCES thing, amount bigint NOT NULL);
INSERT INTO thing SELECT n, 0, 0 FROM generate_series(0, 999) AS n"""
COUNT = "UPDATE thing SET version = version + 1, amount = amount + $2 WHERE id = $1 RETURNING version"
PUBLISH = f"INSERT INTO outbox ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
ENTER = "INSERT INTO note (thing_id, amount) VALUES ($1, $2) RETURNING id"
ACTOR = Principal("bench", "Bench", frozenset({"collections"}), "t", NOW + timedelta(days=1))


class Table(SQLModel, registry=registry()):
    """The naive way's own models."""


class Thing(Table, table=True):
    """An aggregate."""

    __tablename__ = "thing"
    id: int = Field(primary_key=True)
    version: int
    amount: int


class Note(Table, table=True):
    """A row beside it."""

    __tablename__ = "note"
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    thing_id: int
    amount: int


async def prepare(bench: Bench) -> Measure:
    database = await bench.database("noc", pool_size=CONNECTIONS)
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(TABLES)
    await connection.close()
    count, few = bench.count(5_000), bench.count(800)

    async def fresh() -> None:
        await empty(database, "outbox", "idempotency_key", "audit_entry", "note")

    async def crowd(number: int, one: Callable[[int], Awaitable[object]]) -> float:
        await fresh()
        await asyncio.gather(*(one(n) for n in range(CONNECTIONS)))  # every connection is open and knows its statements
        numbers = iter(range(number))

        async def work() -> None:
            for each in numbers:
                await one(each)

        return await rate(number, asyncio.gather(*(work() for _ in range(CONNECTIONS))))

    async def bare() -> float:
        async with asyncpg.create_pool(database.dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
            return await crowd(count, lambda number: _bare(pool, number))

    async def limit() -> float:
        await fresh()
        return await pgbench.pgbench(database.dsn, _script(), "-t", str(count // CONNECTIONS))

    variants = {
        "ours": lambda: crowd(count, lambda number: _ours(database, number)),
        "asyncpg pool": bare,
        "SQLModel": lambda: crowd(few, lambda number: _orm(database, number)),
    }
    goals = [Goal("ours / SQLModel", "ours", "SQLModel", 4)]
    if pgbench.binary() is not None:
        variants["pgbench"] = limit
        goals += [Goal("ours / pgbench", "ours", "pgbench", 0.22), Goal("asyncpg pool / pgbench", "asyncpg pool", "pgbench", 0.45)]
    else:  # nobody's client is faster than asyncpg's here; its own share of pgbench was 0.45 to 0.6 where both were there
        goals.append(Goal("ours / asyncpg (no pgbench)", "ours", "asyncpg pool", 0.4))
    return Measure("P1", f"the transaction of a command, {CONNECTIONS} connections", "commands/s", variants, goals)


async def _ours(database: Database, number: int) -> None:
    """What the route does with a request whose token is known."""
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": f"/things/{number % KEYS}/notes", "query_string": b"",
        "headers": [(b"idempotency-key", str(new_id()).encode())], "route": SimpleNamespace(path_format=ROUTE),
        "app": SimpleNamespace(state=SimpleNamespace(runtime=SimpleNamespace(database=database))),
    }  # fmt: skip
    request = Request(scope)
    request.scope[KNOWN], request.state.now = ACTOR, NOW

    async def work() -> Response:
        session, thing = request.state.session, number % KEYS
        version = (await rows(session, COUNT, thing, 1))[0].version
        note = (await rows(session, ENTER, thing, 1))[0].id
        await publish(session, Measured(who=f"k{thing}", amount=1), subject=f"thing/{thing}", version=version, now=NOW)
        return Response(_answer(note), 201, {"content-type": "application/json"})

    await run_command(request, fingerprint(scope["path"].encode(), BODY), work, BODY)


async def _bare(pool: asyncpg.Pool, number: int) -> None:
    """The same statements with nothing around them."""
    key, thing = str(new_id()), number % KEYS
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetch(CLAIM, f"{ACTOR.person}\nPOST {ROUTE}\n{key}", ACTOR.person, f"POST {ROUTE}", key)
        version = await connection.fetchval(COUNT, thing, 1)
        note = await connection.fetchval(ENTER, thing, 1)
        event = Measured(who=f"k{thing}", amount=1)
        await connection.execute(PUBLISH, new_id(), event.TYPE, f"thing/{thing}", version, event.who, NOW, None, event.model_dump_json())
        await connection.execute(FINISH, *_finishing(key, thing, _answer(note)))


def _finishing(key: str, thing: int, answer: bytes) -> list[Any]:
    """FINISH's arguments."""
    return [
        *(new_id(), NOW, ACTOR.person, ACTOR.name, sorted(ACTOR.desks), "POST", f"/things/{thing}/notes", 201, BODY.decode(), None),
        *(f"POST {ROUTE}", key, fingerprint(BODY), json.dumps({"content-type": "application/json"}), answer),
    ]


async def _orm(database: Database, number: int) -> None:
    """The naive way: look, add, commit."""
    key, thing_id = str(new_id()), number % KEYS
    async with AsyncSession(database.engine) as session, session.begin():
        if await session.get(IdempotencyRow, (ACTOR.person, f"POST {ROUTE}", key)) is not None:
            return
        thing = await session.get(Thing, thing_id, with_for_update=True)
        assert thing is not None
        thing.version, thing.amount = thing.version + 1, thing.amount + 1
        note = Note(thing_id=thing_id, amount=1)
        session.add_all([thing, note])
        await session.flush()
        event = Measured(who=f"k{thing_id}", amount=1)
        session.add_all([
            OutboxRow(event_id=new_id(), type=event.TYPE, subject=f"thing/{thing_id}", sequence=thing.version, key=event.who,
                      occurred_at=NOW, data=event.model_dump_json()),
            IdempotencyRow(principal=ACTOR.person, route=f"POST {ROUTE}", key=key, fingerprint=fingerprint(BODY), status=201,
                           headers={"content-type": "application/json"}, body=_answer(note.id or 0), created_at=NOW),
            AuditRow(at=NOW, recorded_at=NOW, person=ACTOR.person, name=ACTOR.name, desks=sorted(ACTOR.desks), method="POST",
                     path=f"/things/{thing_id}/notes", status=201, body=BODY.decode()),
        ])  # fmt: skip


def _answer(note: int) -> bytes:
    return json.dumps({"id": note, "text": "x" * 150}).encode()


def _script() -> str:
    """One command as a pgbench script: what changes from one to the next is a variable, the rest stands there."""
    key, route, person = "'k' || :key::bigint", f"'POST {ROUTE}'", f"'{ACTOR.person}'"
    answer = f"convert_to('{_answer(1).decode()}', 'UTF8')"
    data = Measured(who="k1", amount=1).model_dump_json()
    at, path = f"'{NOW.isoformat()}'::timestamptz", "'/things/1/notes'"
    finish = [
        *("gen_random_uuid()", at, person, "'Bench'", "ARRAY['collections']", "'POST'", path, "201", f"'{BODY.decode()}'", "NULL"),
        *(route, key, f"'{fingerprint(BODY)}'", '\'{"content-type": "application/json"}\'', answer),
    ]
    event = [f"'{Measured.TYPE}'", "'thing/' || :thing", "1", "'k' || :thing", at, "NULL", f"'{data}'"]
    return "\n".join([
        "\\set key random(1, 9000000000000000)", f"\\set thing random(0, {KEYS - 1})", "BEGIN;",
        inlined(CLAIM, [f"'{ACTOR.person} ' || {key}", person, route, key]) + ";",
        inlined(COUNT, [":thing", "1"]) + ";", inlined(ENTER, [":thing", "1"]) + ";",
        inlined(PUBLISH, ["gen_random_uuid()", *event]) + ";",
        inlined(FINISH, finish) + ";", "COMMIT;",
    ])  # fmt: skip


def inlined(sql: str, values: list[str]) -> str:
    """A statement of ours with SQL expressions in place of `$1`, `$2`, …"""
    return re.sub(r"\$(\d+)", lambda found: f"({values[int(found[1]) - 1]})", sql)
