"""Every door of the house: the routes of all five services, the front page and the test clock, and a request that fits each."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route

from services.local import root_app
from services.wiring import SERVICES
from shared.clock import SimulatedClock
from shared.db import Database
from shared.service import Runtime
from shared.settings import Settings
from shared.simulation import Conductor, LocalEnd
from tests.support.service import OPERATOR_FOLDER, WEBHOOK_KEY, keys, operator

PARTS = {"step": "confirmar", "code": "suspension_cliente_vip", "key": "nobody"}
NOBODY = "019d2f6e-0000-7000-8000-000000000000"
MULTIPART = "multipart/form-data"
MANY = {"policy": "vip", "period": "2026-03", "q": "x", "customer_id": NOBODY, "name": "nota.pdf"}  # what required parameters get


@dataclass(frozen=True)
class Door:
    """A method and a path of the one address; `operation` is what its OpenAPI document says, None for a page outside of it."""

    method: str
    path: str
    operation: dict[str, Any] | None = None
    schemas: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def request(self) -> dict[str, Any]:
        """The arguments of a request that is complete: only who asks can be wrong with it."""
        told = self.operation or {}
        parameters = told.get("parameters", [])
        query = {each["name"]: MANY[each["name"]] for each in parameters if each["in"] == "query" and each.get("required")}
        found: dict[str, Any] = {"method": self.method, "url": self.filled(), "params": query, "headers": {"if-match": '"1"'}}
        content = told.get("requestBody", {}).get("content", {})
        if MULTIPART in content:
            example = content[MULTIPART]["example"]
            return found | {"files": {"file": ("book.csv", example["file"].encode())}, "data": {"mapping": example["mapping"]}}
        if content and "application/json" not in content:
            kind, told_of = next(iter(content.items()))
            return found | {"content": str(told_of["example"]).encode(), "headers": found["headers"] | {"content-type": kind}}
        return found | ({"json": self._example(content["application/json"])} if content else {})

    def filled(self) -> str:
        """The path with something in the place of every parameter."""
        parts = [part.strip("{}").partition(":")[0] if part.startswith("{") else None for part in self.path.split("/")]
        return "/".join(
            PARTS.get(name, NOBODY) if name is not None else part for name, part in zip(parts, self.path.split("/"), strict=True)
        )

    def _example(self, content: dict[str, Any]) -> Any:
        if found := content.get("example") or next((each["value"] for each in content.get("examples", {}).values()), None):
            return found
        return self._sample(content["schema"])

    def _sample(self, schema: dict[str, Any]) -> Any:
        schema = (self.schemas or {})[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema
        if "examples" in schema:
            return schema["examples"][0]
        if schema.get("format") == "date-time":
            return "2026-03-28T06:00:00Z"
        return {name: self._sample(schema["properties"][name]) for name in schema.get("required", schema["properties"])}


def orders_of(door: Door) -> list[str]:
    """The orders that a list may be asked for."""
    (sort,) = [each["schema"] for each in (door.operation or {})["parameters"] if each["name"] == "sort"]
    found: list[str] = sort["enum"] if "enum" in sort else sort["anyOf"][0]["enum"]
    return found


@asynccontextmanager
async def whole_house(databases: dict[str, str], start: datetime, **settings: Any) -> AsyncIterator[FastAPI]:
    """The one address with all its doors, on clean databases and a test clock; no worker runs behind them."""
    opened: list[Database] = []
    runtimes = {}
    for service in SERVICES:
        database = Database(databases[service.name], service=service.name, pool_size=2)
        opened.append(database)
        clock = SimulatedClock(database)
        await clock.set(start)
        given: dict[str, Any] = {
            "token_public_keys": [keys()[1]],
            "webhook_keys": [WEBHOOK_KEY],
            "network": "simulated",
            "clock": "simulated",
        }
        given |= settings
        own = Settings(service=service.name, database_url=database.dsn, operator_folder=OPERATOR_FOLDER, **given)
        resources = service.resources(own, operator())
        resources.get("compared", set()).update(operator().policies)  # nothing is due that a worker would do at its start
        runtimes[service.name] = Runtime(service, own, database, clock, operator(), resources)
    try:
        yield root_app(operator(), runtimes, Conductor([LocalEnd(each) for each in runtimes.values()]))
    finally:
        for database in opened:
            await database.close()


def doors(app: FastAPI) -> list[Door]:
    """All of them, also those that no document tells of."""
    return sorted(_doors(app, ""), key=lambda each: (each.path, each.method))


def _doors(app: FastAPI, prefix: str) -> Iterator[Door]:
    document = app.openapi()
    schemas = document.get("components", {}).get("schemas", {})
    for route in _flat(app.routes):
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            yield from _doors(route.app, prefix + route.path)
        elif isinstance(route, Mount):
            yield Door("GET", f"{prefix}{route.path}/{{file}}")
        elif isinstance(route, Route | APIRoute):
            for method in sorted(set(route.methods or ()) - {"HEAD"}):
                told = document["paths"].get(route.path_format, {}).get(method.lower())
                yield Door(method, prefix + route.path, told, schemas)
        else:
            raise AssertionError(f"a kind of route that nobody thought of: {route!r}")


def _flat(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """The routes of an app with those of its included routers in their places."""
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from _flat(router.routes)
        else:
            yield route


def lists(app: FastAPI) -> list[Door]:
    """The doors whose JSON is a list of objects or a page of one, by what their documents say."""
    return [each for each in doors(app) if each.method == "GET" and _is_list(each)]


def _is_list(door: Door) -> bool:
    content = (door.operation or {}).get("responses", {}).get("200", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = (door.schemas or {})[schema["$ref"].rsplit("/", 1)[-1]]
        schema = schema.get("properties", {}).get("items", {}) if {"items", "next"} <= set(schema.get("properties", {})) else {}
    return schema.get("type") == "array" and "$ref" in schema.get("items", {})
