"""docs/reliability.md: what a run of `make faults` did and what became of it, the failing lines too."""

import platform
import statistics
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.fault import Fault, NotHere
from tests.faults.runner import Result, measured

PAGE = Path("docs/reliability.md")
HEAD = """# What was broken, and what became of it

Written by `python -m tests.faults --write` from one run on {taken}; do not edit. `make faults MINUTES=30` does it on your machine and says
its seed; `make faults SEED={seed}` draws the same faults in the same order.

Five services run as ten processes on a real Apache Kafka and a PostgreSQL of their own, each service with its own role, behind a TCP proxy.
People and other systems give commands over HTTP all the while (payments, confirmed and rejected; promises; suspensions and reconnections; a
billing run): {commands}. Who gets no answer asks again under the same Idempotency-Key; one in ten gives up and never knows. Whoever dies is
started again, as systemd or a container's restart policy would; nobody else helps.

After each fault the load pauses until nothing is under way, and then everything is judged: each command against what it left, every event
against its sender's change and its receivers' inboxes, ledgers, mirrors, mails, and calls that reached the network. **I1** every
acknowledged command has one effect everywhere; **I2** nothing happens without a command; **I3** versions of an aggregate go up by one,
everywhere; **I4** ledgers and balances add up; **I5** invoice numbers have no gap, every event is once in each inbox; **I6** nothing is
left under way.

The run took {minutes:.0f} minutes on {machine}, seed {seed}; two cores run everything, the load and the judge, so the seconds hold for
such a machine. *Lag* is the time from the fault (from its end, where it lasts) until nothing is under way; *answers* until a command sent
afterwards is acknowledged.

## The faults

| {columns} |
{rule}
{lines}

## What fell short

{short}

## What was not injected, and why

{absent}
"""

COLUMNS = (
    "#",
    "what breaks",
    "how",
    "injections (single faults)",
    "lag p50 / max",
    "target",
    "measured p50 / max",
    "lost or doubled (I1 I2 I5)",
    "out of order (I3)",
    "else",
    "verdict",
)


def page(faults: Sequence[Fault], absent: Sequence[NotHere], results: Sequence[Result], *, seed: int, minutes: float, commands: str) -> str:
    """The whole page."""
    return HEAD.format(
        taken=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        seed=seed,
        minutes=minutes,
        commands=commands,
        machine=f"{platform.machine()}, {platform.system()}",
        columns=" | ".join(COLUMNS),
        rule="|---" * len(COLUMNS) + "|",
        lines="\n".join(_line(each, [one for one in results if one.number == each.number]) for each in faults),
        short="\n".join(_short(faults, results)) or "Nothing.",
        absent="\n".join(f"- **{each.number}** {each.what}: {each.why}" for each in absent) or "Nothing is missing.",
    )


def verdict(fault: Fault, results: Sequence[Result]) -> str:
    """`holds`, or what does not."""
    seconds = [measured(fault, each) for each in results]
    if not results:
        return "**not injected in this run**"
    if any(each.wrong or each.lag is None for each in results):
        return "**broken**"
    late = [each for each in seconds if each is None or each > fault.target]
    return f"**late {len(late)} of {len(seconds)} times**" if late else "holds"


def _line(fault: Fault, results: Sequence[Result]) -> str:
    kinds = [each.kind for one in results for each in one.wrong]
    counts = [sum(kind in wanted for kind in kinds) for wanted in (("I1", "I2", "I5"), ("I3",), ("I4", "I6", "own"))]
    meant = {"lag": "lag", "answers": "answers", "own": fault.meant}[fault.measure]
    cells = [
        fault.number,
        fault.what,
        fault.how,
        f"{len(results)} ({sum(each.times for each in results)})",
        _spread([each.lag for each in results]),
        f"{meant} ≤ {fault.target:g} s",
        _spread([measured(fault, each) for each in results]),
        *(str(each) for each in counts),
        verdict(fault, results),
    ]
    return f"| {' | '.join(cells)} |"


def _spread(seconds: Sequence[float | None]) -> str:
    known = [each for each in seconds if each is not None]
    never = ", never" if len(known) < len(seconds) else ""
    return f"{statistics.median(known):.1f} / {max(known):.1f} s{never}" if known else f"–{never}"


def _short(faults: Sequence[Fault], results: Sequence[Result]) -> Iterator[str]:
    """Every line that is not `holds`, with what was found."""
    for fault in faults:
        mine = [each for each in results if each.number == fault.number]
        if (word := verdict(fault, mine)) == "holds":
            continue
        yield f"- {fault.number} {fault.what}: {word.strip('*')}."
        for result in mine:
            late = measured(fault, result)
            if late is None or late > fault.target:
                yield f"  - {result.what}: {'never' if late is None else f'{late:.1f} s'}, asked at most {fault.target:g} s"
            for each in result.wrong[:5]:
                yield f"  - {result.what}: {each.kind} {each.text}"
