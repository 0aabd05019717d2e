"""Every answer has an example in the OpenAPI document: a real one, kept in `examples.json` under the name of its endpoint."""

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute

from shared.web import CommandRoute
from shared.web.exporting import answers

FILE = Path(__file__).with_name("examples.json")


def show_examples(*routers: APIRouter) -> None:
    """Put the examples into the routes whose answers are JSON. Raises KeyError for a route without one."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    for router in routers:
        for route in router.routes:
            listed = isinstance(route, CommandRoute) and route.listed is not None
            if isinstance(route, APIRoute) and (listed or not any("content" in each for each in route.responses.values())):
                content = {"application/json": {"example": found[route.name]}}
                shown = {**route.responses, route.status_code or 200: {"content": content}}
                route.responses = answers(shown) if listed else shown
