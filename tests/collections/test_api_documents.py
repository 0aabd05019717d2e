"""The OpenAPI document of collections: every route says what it does and shows a request and an answer as they really are."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from services.collections.api import ROUTERS

ROUTES = [each for router in ROUTERS for each in router.routes if isinstance(each, APIRoute)]
JSON = "application/json"
TOLD = [each for each in ROUTES if JSON in each.responses[each.status_code or 200]["content"]]  # the others answer with files and streams


def document() -> dict[str, Any]:
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    return app.openapi()


@pytest.mark.parametrize("route", TOLD, ids=lambda each: each.name)
def test_the_example_is_an_answer_of_this_route(route: APIRoute) -> None:
    example = route.responses[route.status_code or 200]["content"][JSON]["example"]
    adapter = TypeAdapter(route.response_model)
    assert adapter.dump_python(adapter.validate_python(example), mode="json") == example


def test_every_operation_tells_what_it_does_and_shows_its_body() -> None:
    found = document()
    schemas = found["components"]["schemas"]
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            answer = next(each for code, each in operation["responses"].items() if code.startswith("2"))
            assert answer["content"], (method, path)
            if shown := answer["content"].get(JSON):
                assert shown["example"] and shown["schema"], (method, path)
            if (body := operation.get("requestBody")) and JSON in body["content"]:
                name = body["content"][JSON]["schema"]["$ref"].rsplit("/", 1)[-1]
                assert schemas[name]["examples"], (method, path)


def test_every_command_takes_a_key_that_makes_it_happen_once() -> None:
    for path, operations in document()["paths"].items():
        if "post" in operations:
            names = [each["name"] for each in operations["post"]["parameters"]]
            assert "Idempotency-Key" in names, path
