"""What containers would run, checked without containers: the compose file by its specification, and every name in it by the code."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from services.cli import app
from services.wiring import SERVICES
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
NAMES = [each.name for each in SERVICES]
OURS = {"RECONECTA_CONDUCTOR_TOKEN", "RECONECTA_CONDUCTOR_ENDS", "KAFKA_BOOTSTRAP"} | {f"{name.upper()}_DATABASE_URL" for name in NAMES}
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


def ours(compose: dict[str, Any]) -> dict[str, Any]:
    """The processes that run our image."""
    return {name: each for name, each in compose["services"].items() if each["image"] == "reconecta"}


def test_the_file_is_what_the_compose_specification_wants(compose: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "tests/support/schemas/compose-spec.json").read_text())
    errors = jsonschema.Draft7Validator(schema).iter_errors(compose)
    assert [f"{'/'.join(map(str, each.path))}: {each.message}" for each in errors] == []


def test_the_schema_does_refuse(compose: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "tests/support/schemas/compose-spec.json").read_text())
    wrong = {**compose, "services": {**compose["services"], "gateway": {**compose["services"]["gateway"], "prots": ["1:1"]}}}
    assert not jsonschema.Draft7Validator(schema).is_valid(wrong)


def test_every_service_runs_as_api_and_as_worker(compose: dict[str, Any]) -> None:
    commands = {tuple(each["command"]) for each in ours(compose).values()}
    assert {("serve", role, name) for role in ("api", "worker") for name in NAMES} <= commands
    assert ("migrate",) in commands


def test_every_command_is_one_of_ours(compose: dict[str, Any]) -> None:
    commands: Any = typer.main.get_command(app)
    for each in ours(compose).values():
        name, *arguments = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in each["command"]]
        commands.commands[name].make_context(name, arguments)  # raises for an option or argument that it does not have


def test_every_variable_is_one_that_the_code_reads(compose: dict[str, Any]) -> None:
    known = OURS | {f"RECONECTA_{field.upper()}" for field in Settings.model_fields}
    for name, each in ours(compose).items():
        given = set(each.get("environment", {}))
        assert given - known - {"RECONECTA_HEALTH"} == set(), name
    assert "RECONECTA_HEALTH" in DOCKERFILE


def test_no_process_is_given_another_service_s_database(compose: dict[str, Any]) -> None:
    for name, each in ours(compose).items():
        addresses = {variable: value for variable, value in each["environment"].items() if variable.endswith("_DATABASE_URL")}
        if name not in ("migrate", "conductor"):
            service = name.rsplit("-", 1)[0]
            assert list(addresses) == [f"{service.upper()}_DATABASE_URL"]
        for variable, value in addresses.items():
            service = variable.removesuffix("_DATABASE_URL").lower()
            login = "reconecta_owner:${OWNER" if name == "migrate" else f"{service}:${{{service.upper()}"
            assert value == f"postgresql://{login}_DATABASE_PASSWORD:?}}@postgres:5432/{service}"


def test_everybody_who_is_waited_for_is_there_and_says_when_it_is_ready(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, each in services.items():
        for other, how in each.get("depends_on", {}).items():
            assert other in services, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other] or services[other]["image"] == "reconecta"


def test_the_gateway_knows_the_five_apis_at_the_port_they_answer(compose: dict[str, Any]) -> None:
    nginx = (ROOT / "deploy/gateway/nginx.conf").read_text()
    (alternatives,) = set(re.findall(r"\((?:\?<name>)?((?:\w+\|)+\w+)\)", nginx))
    assert alternatives.split("|") == NAMES
    assert set(re.findall(r"proxy_pass http://\$upstream:(\d+)", nginx)) == {"8000"}
    assert set(re.findall(r"EXPOSE (\d+)", DOCKERFILE)) == {"8000"}
    assert re.findall(r"set \$upstream (\S+);", nginx) == ["billing-api", "$service-api", "conductor", "billing-api"]
    assert {f"{name}-api" for name in NAMES} | {"conductor"} <= set(compose["services"])


def test_the_image_is_slim_runs_as_nobody_and_tells_its_health() -> None:
    final = DOCKERFILE.rsplit("FROM ", 1)[1]
    assert final.startswith("python:3.12-slim")
    assert "USER reconecta" in final and "HEALTHCHECK" in final
    assert "uv sync --frozen --no-dev" in DOCKERFILE
    for copied in re.findall(r"^COPY ((?:\S+ )+)\S+$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split() if not name.startswith(("--", "/"))), copied
