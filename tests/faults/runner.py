"""Breaks the house again and again, as a seed says, and after each time waits for it to mend itself and looks at what became of it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.faults.fault import Fault, Finding, Injected
from tests.faults.load import Load
from tests.faults.stage import Stage

CALM_SECONDS = 1.5  # of load before a fault, at most, and after it
NEVER_SECONDS = 240.0
SHOWN = 20
Check = Callable[[Stage], Awaitable[list[Finding]]]


@dataclass
class Result:
    """One injection: when (seconds into the run), what, how long until the house was itself again, and what was found wrong since the one
    before. `lag` is None when it never came to zero; `kept_by` says what was still under way after some seconds."""

    number: str
    at: float
    what: str
    times: int
    answers: float | None
    lag: float | None
    own: float | None
    wrong: list[Finding] = field(default_factory=list)
    kept_by: list[str] = field(default_factory=list)


def drawn(faults: Sequence[Fault], chance: random.Random) -> "Draw":
    """Every fault once, in an order of the seed's, and then any, by their weights."""
    first, weights = list(faults), [each.weight for each in faults]
    chance.shuffle(first)
    return lambda: first.pop() if first else chance.choices(faults, weights)[0]


Draw = Callable[[], Fault]


async def run(
    stage: Stage, load: Load, check: Check, faults: Sequence[Fault], seconds: float, seed: int, say: Callable[[str], None]
) -> list[Result]:
    """Inject faults for so long, each of them at least once. A load that ends ends the run with its error."""
    chance = random.Random(seed)
    loading = asyncio.create_task(load(stage, random.Random(seed + 1)))
    breaking = asyncio.create_task(_break(stage, check, faults, seconds, chance, loading, say))
    done, _ = await asyncio.wait({loading, breaking}, return_when=asyncio.FIRST_COMPLETED)
    if breaking not in done:
        breaking.cancel()
    loading.cancel()
    await asyncio.gather(loading, breaking, return_exceptions=True)
    if loading in done:
        loading.result()
    return breaking.result()


async def _break(
    stage: Stage,
    check: Check,
    faults: Sequence[Fault],
    seconds: float,
    chance: random.Random,
    loading: "asyncio.Task[None]",
    say: Callable[[str], None],
) -> list[Result]:
    await stage.ready.wait()
    await stage.look("billing", "CHECKPOINT")  # a server in use had one lately; ours has just made five databases
    draw, began = drawn(faults, chance), time.monotonic()
    results: list[Result] = []
    known: set[Finding] = set()
    while len(results) < len(faults) or time.monotonic() < began + seconds:
        fault = draw()
        result = await _one(stage, check, fault, chance, known, began)
        results.append(result)
        say(told(fault, result))
        if result.lag is None:
            break
        await stage.move_on()
    return results


async def _one(stage: Stage, check: Check, fault: Fault, chance: random.Random, known: set[Finding], began: float) -> Result:
    stage.going.set()
    await asyncio.sleep(chance.uniform(0.5, CALM_SECONDS))
    at = time.monotonic() - began
    injected = await fault.inject(stage, chance)
    stage.going.set()
    answers = await _answered(stage, injected)
    await asyncio.sleep(CALM_SECONDS)
    stage.going.clear()
    lag, kept_by = await _drained(stage, injected)
    if injected.tidy is not None and lag is not None:
        await injected.tidy()
        await stage.drain()
    if injected.after is not None and lag is not None:
        injected.wrong += await injected.after()
    found = [*(Finding("own", each) for each in injected.wrong), *(await check(stage))]
    wrong = [each for each in found if each not in known]
    known.update(wrong)
    return Result(fault.number, at, injected.what, injected.times, answers, lag, injected.seconds, wrong, kept_by)


async def _answered(stage: Stage, injected: Injected) -> float | None:
    """Seconds until a command that was sent afterwards was acknowledged."""
    while time.monotonic() < injected.since + NEVER_SECONDS:
        ended = stage.counter.first_answer(injected.since)
        if ended is not None:
            return ended - injected.since
        await asyncio.sleep(0.02)
    return None


async def _drained(stage: Stage, injected: Injected) -> tuple[float | None, list[str]]:
    try:
        async with asyncio.timeout(NEVER_SECONDS):
            kept_by = await stage.drain()
    except (TimeoutError, AssertionError) as error:
        return None, [f"never: {error}"]
    return time.monotonic() - injected.since, kept_by


def measured(fault: Fault, result: Result) -> float | None:
    """The seconds that are held against the fault's target."""
    return {"lag": result.lag, "answers": result.answers, "own": result.own}[fault.measure]


def told(fault: Fault, result: Result) -> str:
    """One line for whoever watches, and one for everything that is wrong."""
    seconds = (("answers", result.answers), ("lag", result.lag), ("own", result.own))
    figures = ", ".join(f"{name} {value:.1f} s" for name, value in seconds if value is not None)
    wrong = [f"        WRONG {each.kind} {each.text}" for each in result.wrong[:SHOWN]]
    kept_by = [f"        after {each}" for each in result.kept_by]
    return "\n".join([f"{result.at:6.0f} s  {fault.number:4} {result.what}: {figures}", *kept_by, *wrong])
