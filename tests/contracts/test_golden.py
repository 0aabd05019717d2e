"""Today's classes read what was once sent: one sample per event type, kept as it travelled."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.events import CATALOGUE

GOLDEN = Path(__file__).parent / "golden"
TYPES = sorted(CATALOGUE)


def sample(wire_type: str) -> dict[str, Any]:
    path = GOLDEN / f"{wire_type}.json"
    assert path.exists(), f"{wire_type} has no golden sample: write {path.relative_to(GOLDEN.parent.parent.parent)}"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_every_sample_is_of_a_known_type() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CATALOGUE), "a type that was once sent must stay readable"


@pytest.mark.parametrize("wire_type", TYPES)
def test_the_sample_is_read_without_losing_or_changing_anything(wire_type: str) -> None:
    found = sample(wire_type)
    event = CATALOGUE[wire_type].model_validate_json(json.dumps(found["data"]))
    written = json.loads(event.model_dump_json())
    assert {name: written.get(name) for name in found["data"]} == found["data"]
    assert event.key() == found["key"]
    assert found["headers"]["ce_type"] == wire_type


@pytest.mark.parametrize("wire_type", TYPES)
def test_a_field_that_a_reader_does_not_know_is_ignored(wire_type: str) -> None:
    data = sample(wire_type)["data"]
    cls = CATALOGUE[wire_type]
    assert cls.model_validate({**data, "added_next_year": {"by": "a newer sender"}}) == cls.model_validate(data)


@pytest.mark.parametrize("wire_type", TYPES)
def test_a_sample_without_a_required_field_is_refused(wire_type: str) -> None:
    """The samples can fail: a reader that suddenly wants more than was sent notices."""
    data, cls = sample(wire_type)["data"], CATALOGUE[wire_type]
    required = next(name for name, field in cls.model_fields.items() if field.is_required())
    with pytest.raises(ValidationError):
        cls.model_validate({name: value for name, value in data.items() if name != required})
