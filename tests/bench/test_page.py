"""The page of figures: what it says of a run, and its pictures."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.bench import page
from tests.bench.__main__ import together
from tests.bench.chart import draw
from tests.bench.runner import Goal, Growth, machine

VERSIONS = {"machine": "a machine", "fsync": "on", "synchronous_commit": "on"}


def measured(
    name: str, medians: dict[str, float], goals: list[Goal], growth: Growth | None = None, speed: float | None = None
) -> dict[str, Any]:
    """A measure as `measure` answers it."""
    figures = {key: [value] for key, value in medians.items()}
    state = {"before": machine(), "after": machine()}
    return {"name": name, "title": f"what {name} is", "unit": "x/s", "rounds": 1, "medians": medians, "figures": figures,
            "goals": [each.judge(medians, speed) for each in goals],
            "growth": growth.told() if growth else None, "machine": {**state, "speed": speed}}  # fmt: skip


def report(*measures: dict[str, Any], **failed: str) -> dict[str, Any]:
    return {"taken": "now", "scale": 1.0, "versions": VERSIONS, "measures": list(measures), "failed": failed}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(page, "PAGE", tmp_path / "performance.md")
    return tmp_path


def test_what_is_missed_and_what_failed_is_said(written: Path) -> None:
    goals = [Goal("half", "ours", "limit", 0.5), Goal("tenth", "ours", "limit", 0.1)]
    page.write_page(report(measured("P7", {"ours": 30.0, "limit": 100.0, "1 worker": 15_000.0}, goals), P12="RuntimeError: no"))
    text = (written / "performance.md").read_text()
    short = text.partition("## What falls short")[2].partition("## ")[0]
    assert "P7 half: 0.30, asked at least 0.5 (MISSED)" in short and "P12 could not be measured: RuntimeError: no" in short
    assert "tenth" not in short
    assert "| invoices of a month roll, per s | 15,000 | 87-94 |" in text


def test_a_growth_curve_is_a_picture_and_a_table(written: Path) -> None:
    growth = Growth("rows", "ms")
    for size in (10_000, 100_000, 1_000_000):
        growth.note("ours", size, size / 1e5)
    growth.note("limit <&>", 10_000, 4.0)
    page.write_page(report(measured("L1", {"a": 1.0}, [], growth)))
    assert "| rows | 10,000 | 100,000 | 1,000,000 |" in (written / "performance.md").read_text()
    picture = ElementTree.fromstring((written / "growth-l1.svg").read_text())  # noqa: S314 - our own
    points = [each.get("points", "").split() for each in picture.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(each) for each in points] == [3, 1]
    across = [float(each.split(",")[0]) for each in points[0]]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)  # ten times as many is one step


def test_one_size_alone_is_drawn_too() -> None:
    growth = Growth("rows", "ms")
    growth.note("ours", 100, 0.0)
    assert "ours" in draw("small", growth.told())


def test_of_several_runs_the_latest_figure_counts() -> None:
    first, again = measured("P7", {"a": 1.0}, []), measured("P7", {"a": 2.0}, [])
    found = together([report(first, P1="broken", P4="broken"), report(measured("P4", {"b": 1.0}, [])), report(again)])
    assert [each["name"] for each in found["measures"]] == ["P4", "P7"]
    assert found["measures"][1]["medians"] == {"a": 2.0}
    assert found["failed"] == {"P1": "broken"}


def test_an_absolute_target_is_judged_at_the_machine_s_speed(written: Path) -> None:
    goals = [Goal("cuts / 5,000", "cuts", 5_000, 1, scaled=True), Goal("p50 / 50 ms", "p50", 50, 1, at_most=True, scaled=True),
             Goal("cuts / COPY", "cuts", "COPY", 1)]  # fmt: skip
    half, slow = measured("P12", {"cuts": 2_600.0, "p50": 90.0, "COPY": 5_200.0}, goals, speed=0.5), {"cuts": 1_700.0, "p50": 150.0}
    assert [each["verdict"] for each in half["goals"]] == ["met", "met", "MISSED"]
    assert [each.judge(slow, 0.5)["verdict"] for each in goals[:2]] == ["MISSED", "MISSED"]
    assert [each.judge({"cuts": 5_000.0, "p50": 50.0}, 2.0)["verdict"] for each in goals[:2]] == ["MISSED", "MISSED"]
    assert [each.judge({"cuts": 5_000.0, "p50": 50.0})["verdict"] for each in goals[:2]] == ["met", "met"]
    page.write_page(report(half))
    assert "| cuts / 5,000 | **0.52** | 1.04 | at least 1 | met |" in (written / "performance.md").read_text()
