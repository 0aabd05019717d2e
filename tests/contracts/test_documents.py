"""docs/events.md and docs/asyncapi.yaml say what the code does, and AsyncAPI's own schema accepts the latter."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from services import docs
from shared.events import CATALOGUE

# Taken from the npm package @asyncapi/specs 6.11.1 (Apache-2.0), schemas/3.0.0-without-$id.json, without its prose.
SCHEMA = Path(__file__).parent.parent / "support" / "schemas" / "asyncapi-3.0.0.json"


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(docs.ASYNCAPI.read_text())
    return found


def test_the_documents_are_fresh_and_nothing_breaks_a_reader() -> None:
    assert docs.fresh() == []


def test_asyncapi_accepts_it(committed: dict[str, Any]) -> None:
    validator = Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(committed)] == []
    committed_wrongly = copy.deepcopy(committed)
    committed_wrongly["operations"]["billing.sends"]["action"] = "shout"
    assert list(validator.iter_errors(committed_wrongly))


def test_every_reference_leads_somewhere(committed: dict[str, Any]) -> None:
    for reference in references(committed):
        target: Any = committed
        for part in reference.removeprefix("#/").split("/"):
            assert part in target, reference
            target = target[part]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [node["$ref"]] if "$ref" in node else [each for value in node.values() for each in references(value)]
    return [each for item in node for each in references(item)] if isinstance(node, list) else []


def test_every_type_has_a_message_and_a_sender(committed: dict[str, Any]) -> None:
    assert set(committed["components"]["messages"]) == set(CATALOGUE)
    sent = {
        ref["$ref"].rsplit("/", 1)[-1] for each in committed["operations"].values() if each["action"] == "send" for ref in each["messages"]
    }
    assert sent == set(CATALOGUE)


def test_a_removed_type_and_a_changed_field_are_refused(committed: dict[str, Any]) -> None:
    current = copy.deepcopy(committed)
    del current["components"]["messages"]["billing.invoice_paid.v1"]
    del current["components"]["schemas"]["InvoiceLine"]["properties"]["tax_rate"]
    assert docs.broken_contracts(committed, current) == [
        "billing.invoice_issued.v1: lines[].tax_rate: was removed",
        "billing.invoice_paid.v1: was removed",
    ]
