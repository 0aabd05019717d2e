"""Every route of every service: it says what it does, shows an example of what it takes, and is OpenAPI 3.1."""

import inspect
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from openapi_spec_validator import validate
from starlette.routing import Match
from starlette.types import Scope

from services.wiring import SERVICES
from shared.service import Service
from shared.web import CommandRoute
from shared.web.documentation import add_documentation
from shared.web.routing import Router

VERBS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(params=SERVICES, ids=lambda service: service.name)
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.param
    return found


@pytest.fixture
def document(service: Service) -> dict[str, Any]:
    """The service's own routes; health and metrics belong to the frame."""
    served = FastAPI(title=service.name)
    add_documentation(served)
    for router in service.routers:
        served.include_router(router)
    return served.openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{verb.upper()} {path}", each) for path, found in document["paths"].items() for verb, each in found.items() if verb in VERBS]


def test_it_is_openapi_3_1_and_every_route_is_told(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)
    found = operations(document)
    assert found
    assert [name for name, each in found if not each.get("description") or not each.get("tags")] == []


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    """Of the body itself, or of each of its fields."""
    missing = []
    for name, each in operations(document):
        for kind, content in each.get("requestBody", {}).get("content", {}).items():
            schema = content.get("schema", {})
            if "$ref" in schema:
                schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
            if not (schema.get("examples") or schema.get("example") or content.get("example") or content.get("examples")):
                missing.append(f"{name} ({kind})")
    assert missing == []


def test_every_post_asks_for_a_key_and_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for name, each in operations(document):
        headers = [parameter["name"] for parameter in each.get("parameters", []) if parameter["in"] == "header"]
        assert ("Idempotency-Key" in headers) == name.startswith("POST"), name
        assert "application/problem+json" in each["responses"]["4XX"]["content"], name


def test_no_write_goes_round_the_edge(service: Service) -> None:
    """A plain route has no transaction, no key and no audit. Reads that take long may do without the transaction."""
    for router in service.routers:
        plain = [route for route in router.routes if not isinstance(route, CommandRoute)]
        assert [route for route in plain if set(getattr(route, "methods", ())) - {"GET", "HEAD"}] == []


def test_nothing_of_a_route_is_sent_to_a_thread(service: Service) -> None:
    """The framework does that with plain functions, and a thread's turn costs more than the rest of the route."""
    routes = [route for router in service.routers for route in router.routes if isinstance(route, APIRoute)]
    assert routes
    assert [f"{route.path}: {call}" for route in routes for call in _calls(route.dependant) if not _is_async(call)] == []


def _calls(dependant: Dependant) -> list[Callable[..., Any]]:
    """The endpoint or dependency, and whatever it depends on."""
    own = [dependant.call] if dependant.call is not None else []
    return [*own, *(call for each in dependant.dependencies for call in _calls(each))]


def _is_async(call: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)


async def test_a_request_is_compared_with_routes_of_its_first_word_only() -> None:
    """Under a service's address and under none; what no route is for is told as ever."""
    compared: list[str] = []

    class Counted(APIRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            compared.append(self.path)
            return super().matches(scope)

    async def answer() -> str:
        return "here"

    app = FastAPI()
    for prefix in ("/ones", "/twos", "/twos-more"):
        router = Router(prefix=prefix, route_class=Counted)
        router.add_api_route("", answer)
        router.add_api_route("/{name}", answer, methods=["POST"])
        app.include_router(router)
    for root in ("", "/billing", "/two"):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app, root_path=root), base_url=f"http://here{root}") as client:
            assert (await client.get("/twos")).json() == (await client.post("/twos-more/x")).json() == "here"
            assert [(await client.get(each)).status_code for each in ("/twos/x", "/twos-", "/twos-more/x/y", "/threes", "/")] == [
                405,
                *[404] * 4,
            ]
            assert (await client.get("/twos/", follow_redirects=True)).json() == "here"
    assert set(compared) == {"/twos", "/twos/{name}", "/twos-more", "/twos-more/{name}"}
