"""The page says what a run did: what held, what was late, what was broken, and what could not be injected."""

import random

from tests.faults.fault import Fault, Finding, Injected, NotHere
from tests.faults.page import page, verdict
from tests.faults.runner import Result, drawn
from tests.faults.stage import Stage


async def nothing(stage: Stage, chance: random.Random) -> Injected:
    return Injected("nothing")


FAST = Fault("F1", "a process dies", "kill -9", nothing, 10)
SLOW = Fault("F2", "PostgreSQL dies", "kill -9", nothing, 5, "answers")


def result(number: str, lag: float | None, answers: float, *wrong: Finding) -> Result:
    return Result(number, 0.0, "kill -9", 2, answers, lag, None, list(wrong))


def test_a_fault_holds_is_late_or_is_broken() -> None:
    assert verdict(FAST, [result("F1", 9.9, 99)]) == "holds"
    assert verdict(FAST, [result("F1", 9.9, 1), result("F1", 10.1, 1)]) == "**late 1 of 2 times**"
    assert verdict(SLOW, [result("F2", 99, 5.1)]) == "**late 1 of 1 times**"
    assert verdict(FAST, [result("F1", None, 1)]) == "**broken**"
    assert verdict(FAST, [result("F1", 1, 1, Finding("I3", "2 follows 0"))]) == "**broken**"
    assert verdict(FAST, []) == "**not injected in this run**"


def test_the_page_shows_the_failing_lines_too() -> None:
    found = [result("F1", 4.0, 1.0, Finding("I1", "a payment is there twice"), Finding("I3", "2 follows 0")), result("F2", 9.0, 3.0)]
    text = page([FAST, SLOW], [NotHere("F6", "the disk is full", "no root")], found, seed=7, minutes=3, commands="9 commands")
    assert "| F1 | a process dies | kill -9 | 1 (2) | 4.0 / 4.0 s | lag ≤ 10 s | 4.0 / 4.0 s | 1 | 1 | 0 | **broken** |" in text
    assert "| F2 | PostgreSQL dies | kill -9 | 1 (2) | 9.0 / 9.0 s | answers ≤ 5 s | 3.0 / 3.0 s | 0 | 0 | 0 | holds |" in text
    assert "  - kill -9: I1 a payment is there twice" in text and "- **F6** the disk is full: no root" in text


def test_every_fault_is_drawn_once_before_any_is_drawn_again_and_a_seed_draws_the_same() -> None:
    drawing = [drawn([FAST, SLOW], random.Random(3)) for _ in range(2)]
    one, other = ([draw().number for _ in range(20)] for draw in drawing)
    assert one == other and set(one[:2]) == {"F1", "F2"} and len(set(one)) == 2
