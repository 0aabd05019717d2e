"""Whatever somebody does to a file of the operator, the check answers with mistakes that have a line, and never with a traceback."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.operator import check_operator
from tests.operator.conftest import copy_of_documents
from tests.support.service import OPERATOR_FOLDER

FILES = sorted(path.relative_to(OPERATOR_FOLDER).as_posix() for path in OPERATOR_FOLDER.rglob("*.yaml") if "books" not in path.parts)
pytestmark = pytest.mark.slow
BASE: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # texts only; the fast one where yaml has it
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
JUNK: list[Any] = [
    "",
    "???",
    "ñandú",
    "-1",
    "99999999999999999999",
    "2026-13-45",
    "25:61",
    "true",
    "null",
    [],
    {},
    ["x"],
    {"x": "y"},
    [[]],
    "a" * 500,
]
Path_ = tuple[Any, ...]


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_documents(tmp_path_factory.mktemp("spoiled") / "operator")


def places(value: Any, at: Path_ = ()) -> list[Path_]:
    """Every key and every element of a document, by its path."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [found for key in keys for found in [(*at, key), *places(value[key], (*at, key))]]


def holder(value: Any, path: Path_) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def free_to_name(name: str, path: Path_) -> bool:
    """Outcomes of a person's task are named by whoever writes the procedure."""
    return name.startswith("procedures/") and len(path) == 4 and path[2] == "outcomes"


def checked(folder: Path, name: str, value: Any) -> list[Any]:
    """The mistakes found with this document in the place of the shipped one, each with a line that the file has."""
    path = folder / name
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(yaml.dump(value, Dumper=DUMPER, allow_unicode=True, sort_keys=False), encoding="utf-8")
        found = check_operator(folder)[1]
        for each in found:
            lines = (folder / each.file).read_text(encoding="utf-8").count("\n") if (folder / each.file).is_file() else 1
            assert 1 <= each.line <= max(lines, 1) and each.message
            assert "Traceback" not in each.message and "pydantic" not in each.message
        return found
    finally:
        path.write_text(original, encoding="utf-8")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.randoms(use_true_random=False))
def test_a_renamed_key_is_a_mistake(spoiled: Path, name: str, dice: random.Random) -> None:
    value = yaml.load((OPERATOR_FOLDER / name).read_text(), Loader=BASE)  # noqa: S506 - texts only
    keys = [path for path in places(value) if isinstance(path[-1], str) and not free_to_name(name, path)]
    path = dice.choice(keys)
    place = holder(value, path)
    place[path[-1] + "_"] = place.pop(path[-1])
    found = checked(spoiled, name, value)
    assert found, f"{name}: {path} renamed and nobody minds"
    assert any(each.file == name for each in found)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.randoms(use_true_random=False))
def test_a_removed_key_is_fine_or_a_mistake(spoiled: Path, name: str, dice: random.Random) -> None:
    value = yaml.load((OPERATOR_FOLDER / name).read_text(), Loader=BASE)  # noqa: S506 - texts only
    path = dice.choice(places(value))
    del holder(value, path)[path[-1]]
    found = checked(spoiled, name, value)
    needed = {"code", "name", "rules", "desks", "people", "plans", "steps", "statuses", "suspension", "any_of"}
    needed -= {"rules"} if name.startswith("notices/") else set()
    if len(path) == 1 and path[0] in needed:
        assert found


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.randoms(use_true_random=False), st.sampled_from(JUNK))
def test_nonsense_is_never_a_traceback(spoiled: Path, name: str, dice: random.Random, junk: Any) -> None:
    value = yaml.load((OPERATOR_FOLDER / name).read_text(), Loader=BASE)  # noqa: S506 - texts only
    path = dice.choice(places(value))
    holder(value, path)[path[-1]] = junk
    checked(spoiled, name, value)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FILES),
    st.integers(min_value=0, max_value=5_000),
    st.sampled_from(["\t", "{", "]", ": :", "&", "*x", "!!python/object:x ", "\x00", "'", "- "]),
)
def test_torn_yaml_is_never_a_traceback(spoiled: Path, name: str, at: int, torn: str) -> None:
    path = spoiled / name
    original = path.read_text(encoding="utf-8")
    at = at % (len(original) + 1)
    try:
        path.write_text(original[:at] + torn + original[at:], encoding="utf-8")
        assert all(each.line >= 1 for each in check_operator(spoiled)[1])
    finally:
        path.write_text(original, encoding="utf-8")
