"""docs/performance.md: one run's figures, ratios first, written by `python -m tests.bench --write`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.runner import steal_percent

PAGE = Path("docs/performance.md")
HEAD = """# What was measured

Written by `python -m tests.bench --write` from one run on {taken}; do not edit. `make bench` measures on your machine, in about ten
minutes.

Trust the ratios to about 25 %: each divides two figures of the same run, whose variants took turns; *met within noise* is less than 25 %
away from what is asked. Trust the absolute figures not at all: client, server and whatever else ran shared {machine}. All of it is
durable (`fsync` {fsync}, `synchronous_commit` {synchronous_commit}), on the embedded PostgreSQL as `reconecta up` runs it.

## Ratios

| # | what | ratio | asked | verdict |
|---|---|---|---|---|
{ratios}

## What falls short

{short}

## What stands against what

- **P1** runs the frame's own `run_command` behind the token: key claimed, aggregate locked and counted, a row, an event, audit entry and
  stored answer; pgbench runs the same statements, prepared. The naive way adds the same rows as SQLModel objects and commits.
- **P4, P5, P7** stand against COPY of the very rows that they write. P7 plans a month beforehand and issues it with relay and inbox off;
  the relay's drain of its events into four durable inboxes is listed beside. Memory is the worker's growth over a whole run.
- **P6** has three shapes of a handler: statements per event in the batch's transaction, `executemany` in a batch handler, and set-based.
  The naive ways pay a transaction per event.
- **P9** counts from the commit of an event to the commit of its handler, at 200 events a second, in one process.
- **P11** is `reconecta up` without a request: CPU and proportional memory of the services and of PostgreSQL's processes, and the time from
  the command to the first answer on a data folder that exists.

## Figures
{figures}

## The machine

{versions}
"""


def busy(found: Mapping[str, Any]) -> str:
    """How busy the machine was before and after a measure."""
    state = found["machine"]
    steal = steal_percent(state["before"], state["after"])
    load = " → ".join(f"{each['load'][0]:.1f}" for each in (state["before"], state["after"]))
    return f"load {load}" + (f", steal {steal:.0f} %" if steal is not None else "")


def write_page(report: Mapping[str, Any]) -> None:
    """Write the page from a run of all measures."""
    goals = [(each, goal) for each in report["measures"] for goal in each["goals"]]
    ratios = [
        f"| {each['name']} | {goal['label']} | **{goal['ratio']:.2f}** | {goal['asked']} | {goal['verdict']} |" for each, goal in goals
    ]
    short = [
        f"- {each['name']} {goal['label']}: {goal['ratio']:.2f}, asked {goal['asked']} ({goal['verdict']})."
        for each, goal in goals
        if goal["verdict"] != "met"
    ]
    known = report["versions"]
    PAGE.write_text(
        HEAD.format(
            taken=report["taken"],
            machine=known["machine"],
            fsync=known["fsync"],
            synchronous_commit=known["synchronous_commit"],
            ratios="\n".join(ratios),
            short="\n".join(short) or "Nothing in this run.",
            figures="\n".join(line for each in report["measures"] for line in _figures(each)),
            versions=", ".join(f"{name} {value}" for name, value in known.items()),
        )
    )


def _figures(found: Mapping[str, Any]) -> Iterator[str]:
    """One measure's medians and spreads."""
    yield f"\n### {found['name']}: {found['title']}\n"
    yield f"{found['unit']}; medians of {found['rounds']}; {busy(found)}.\n"
    yield "| variant | median | spread |\n|---|---|---|"
    for name, median in found["medians"].items():
        yield f"| {name.strip()} | {median:,.1f} | {min(found['figures'][name]):,.1f} … {max(found['figures'][name]):,.1f} |"
