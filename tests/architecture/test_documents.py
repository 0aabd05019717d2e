"""What the documents for readers name exists: files, commands, targets, variables, routes, gauges."""

import re
from functools import cache

import pytest
from fastapi import FastAPI
from typer.main import get_command

from services.cli.main import app
from services.wiring import SERVICES
from shared.settings import Settings
from tests.architecture.test_rooms import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs/operations.md", *sorted((ROOT / "docs/adr").glob("*.md"))]
OF_EVERY_SERVICE = {
    "health/live",
    "health/ready",
    "metrics",
    "docs",
    "openapi.json",
    "simulation",
    "audits",
    "audit-entries",
    "dead-letters",
    "dead-letters/{}/replay",
    "dead-letters/{}/discard",
}
HEADINGS = ["Context", "Decision", "Why", "What it costs", "Alternatives"]


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.name)
def text(request: pytest.FixtureRequest) -> str:
    found: str = request.param.read_text(encoding="utf-8")
    return found


def test_files_exist(text: str) -> None:
    named = set(re.findall(r"[`(]((?:services|shared|tests|deploy|docs)/[A-Za-z0-9_./-]+)", text))
    named |= set(re.findall(r"\]\(([A-Za-z][A-Za-z0-9_./-]+)\)", text))
    assert [name for name in sorted(named) if not (ROOT / name.rstrip("./")).exists() and not (ROOT / name).exists()] == []


def test_commands_and_targets_exist(text: str) -> None:
    commands = set(getattr(get_command(app), "commands"))  # noqa: B009 - click's groups are not typed so
    assert {name for name in re.findall(r"`?\breconecta ([a-z]+)", text) if name not in commands} <= {"token_"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {name for name in re.findall(r"[`\n]make ([a-z-]+)", text) if name not in targets} == set()


def test_variables_exist(text: str) -> None:
    known = {f"RECONECTA_{name.upper()}" for name in Settings.model_fields} | {"RECONECTA_CONDUCTOR_TOKEN", "RECONECTA_CONDUCTOR_ENDS"}
    assert set(re.findall(r"RECONECTA_[A-Z_]*[A-Z]", text)) - known == set()


@cache
def routes() -> frozenset[str]:
    """Every route of the five services, parameters without their names."""
    found = set()
    for service in SERVICES:
        served = FastAPI()
        for router in service.routers:
            served.include_router(router)
        paths = [f"/{service.name}{path}" for path in served.openapi()["paths"]]
        found |= {re.sub(r"\{[^}]*\}", "{}", path) for path in paths}
        found |= {f"/{service.name}/{each}" for each in OF_EVERY_SERVICE}
    return frozenset(found | {"/simulation/clock"})


def test_routes_exist(text: str) -> None:
    named = {re.sub(r"[{<][^}>]*[}>]", "{}", path) for path in re.findall(r"(?:GET|POST|PUT|PATCH) (/[a-z_<][A-Za-z0-9_/{}<>-]*)", text)}
    every = {path.replace("/{}/", f"/{service.name}/", 1) if path.startswith("/{}/") else path for path in named for service in SERVICES}
    assert sorted(path.rstrip("/") for path in every if path.rstrip("/") not in routes()) == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs/adr").glob("*.md")), ids=lambda path: path.name)
def test_a_decision_record_is_one_page_with_five_headings(path: object) -> None:
    found = (ROOT / "docs/adr" / str(path)).read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", found, re.MULTILINE) == HEADINGS
    assert found.startswith("# ") and len(found.split()) < 600
