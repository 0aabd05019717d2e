"""Every route of every service: it says what it does, shows an example of what it takes, and is OpenAPI 3.1."""

from typing import Any

import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate

from services.wiring import SERVICES
from shared.web import CommandRoute
from shared.web.documentation import add_documentation
from shared.worker import Service

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
