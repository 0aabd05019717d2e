"""docs/performance.md: one run's figures, ratios first, written by `python -m tests.bench --write`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.chart import draw
from tests.bench.runner import steal_percent

PAGE = Path("docs/performance.md")
HEAD = """# What was measured

Written by `python -m tests.bench --write` from what was taken on {taken}; do not edit. `make bench` measures on your machine, in about
an hour; `make bench QUICK=1` does a tenth of the work in less than ten minutes. This run's scale: {scale:g}.

Trust the ratios to about 25 %: each divides two figures of the same run, whose variants took turns; *met within noise* is less than 25 %
away from what is asked. Trust the absolute figures not at all: client, server and whatever else ran shared {machine}. A target in
milliseconds or per second was set on a machine that does 11,000 small transactions a second under pgbench (a row, an event of 400 bytes;
16 connections); the same pgbench runs right before and after such a measure, and the verdict goes by the ratio *at that speed*, which
stands beside the plain one: on half of that machine a rate may be half as large, and a time twice as long. What is answered, or called
outside, is on the disk before (`fsync` {fsync}, `synchronous_commit` {synchronous_commit}; between services of one server nobody waits
for it: decision 21), on the embedded PostgreSQL as `reconecta up` runs it.

## Ratios

| # | what | ratio | at the targets' speed | asked | verdict |
|---|---|---|---|---|---|
{ratios}

## What falls short

{short}

## How it grows
{pictures}
## Beside what else could be used

These systems were measured elsewhere, on a like machine (two cores for server, database and client), not in this run: the distance counts,
not the digit. Kill Bill is an image of 0.25 with its best queue settings, on PostgreSQL 15; it also writes audit rows, history rows and bus
events for each of these, as ours writes history, audit and outbox rows.

| what | here | Kill Bill | others |
|---|---|---|---|
{elsewhere}

## What stands against what

{against}

## Figures
{figures}

## The machine

{versions}
"""
AGAINST = {
    "P1": "runs the frame's own `run_command` behind the token: key claimed, aggregate locked and counted, a row, an event, audit "
    "entry and stored answer; pgbench runs the same statements, prepared. The naive way adds the same rows as SQLModel "
    "objects and commits.",
    "P2": "is a write over HTTP with token, key, outbox and audit entry; its limit is the same route without any database.",
    "P3": "is the same ordinary command with an Idempotency-Key and without.",
    "P4": "writes events in batches, against COPY of the very rows and against `add_all`.",
    "P5": "brings every event to four inboxes, against COPY of the very rows.",
    "P6": "has three shapes of a handler: statements per event in the batch's transaction, `executemany` in a batch handler, and "
    "set-based. The naive ways pay a transaction per event.",
    "P7": "plans a month beforehand and issues it with relay and inbox off, against COPY of the very rows that come out; the "
    "relay's drain of its events into four durable inboxes is listed beside. Memory is the worker's growth over a whole run.",
    "P7T": "is P7 on a public book of a telephone company (7,043 customers, as often as fits), imported with the mapping that we ship.",
    "P8": "is P7 with a price of the operator's own in Python for every service line.",
    "P9": "counts from the commit of an event to the commit of its handler, at 200 events a second, in one process.",
    "P10": "asks billing over HTTP 20 times a second, reads and writes in turn, first with nothing else to do, then while a billing "
    "run is on in a worker of its own.",
    "P11": "is `reconecta up` without a request: CPU and proportional memory of the services and of PostgreSQL's processes, and the "
    "time from the command to the first answer on a data folder that exists.",
    "P12": "is the service's own daily run over a book of accounts. A mixed day touches one account of seven; of the others it need "
    "not know. Cuts and changes of status write their row, their reason and their event for every account. The limit writes the "
    "cuts' rows by COPY.",
    "P13": "counts from the answer to a payment to the reconnect order at the network port, while 5 % of the access servers are dead.",
    "P14": "is the way by Kafka against that by the Courier.",
    "P15": "imports a CRM's CSV (rows of the shipped sample, every one with its own codes; two of a hundred are faulty) and stands "
    "against COPY of the very rows that come of it, events among them.",
    "P16": "creates customers over REST with token, idempotency key and event.",
    "P17": "works out whom tomorrow would remind, tell and cut, over the whole book, beside the run that then does it.",
    "L1": "asks for pages of 50 over HTTP at the list's beginning, in its middle and at its end; an agent has 2,000 at any size.",
    "W1": "sends stored events, signed and each try written down, to a receiver that answers 204; four at once to a subscription. Bare "
    "posts go to the same receiver over the same kind of connections.",
}
# What is asked of everybody, the variant here that answers it, and what others did.
ELSEWHERE = (
    ("invoices of a month roll, per s", "P7", "1 worker", "87-94", "Tryton 8.2: 44 drafts, 4 posted"),
    (
        *("overdue transitions, per s", "P12", "every account is cut", "178-196 (the blocking step 126-142)"),
        "PHPNuxBill: 474 expiries, 24 with live sessions",
    ),
    (
        "payment → clear at 50/s: p50, ms",
        "P13",
        "50/s p50, ms",
        "saturated: 3,000 (at 20/s 108)",
        "PHPNuxBill: 15 s for each dead access server",
    ),
    ("payment → clear at 50/s: p99, ms", "P13", "50/s p99, ms", "saturated: 3,600 (at 20/s 210)", ""),
    ("customers over REST, 16 clients, per s", "P16", "one process", "351-385", ""),
    ("start, s", "P11", "start, s", "14", ""),
)


def busy(found: Mapping[str, Any]) -> str:
    """How busy the machine was before and after a measure."""
    state = found["machine"]
    steal = steal_percent(state["before"], state["after"])
    load = " → ".join(f"{each['load'][0]:.1f}" for each in (state["before"], state["after"]))
    speed = f", {state['speed']:.2f} of the targets' speed" if state.get("speed") else ""
    return f"load {load}" + (f", steal {steal:.0f} %" if steal is not None else "") + speed


def scaled(goal: Mapping[str, Any]) -> str:
    """What a verdict went by, where it is not the plain ratio."""
    return f", {_plain(goal)} at the targets' speed" if "scaled" in goal else ""


def _plain(goal: Mapping[str, Any]) -> str:
    return f"{goal['scaled']:.2f}" if "scaled" in goal else ""


def write_page(report: Mapping[str, Any]) -> None:
    """Write the page and its pictures from a run of all measures."""
    goals = [(each, goal) for each in report["measures"] for goal in each["goals"]]
    ratios = [
        f"| {each['name']} | {goal['label']} | **{goal['ratio']:.2f}** | {_plain(goal)} | {goal['asked']} | {goal['verdict']} |"
        for each, goal in goals
    ]
    short = [
        f"- {each['name']} {goal['label']}: {goal['ratio']:.2f}, asked {goal['asked']} ({goal['verdict']}{scaled(goal)})."
        for each, goal in goals
        if goal["verdict"] != "met"
    ]
    short += [f"- {name} could not be measured: {why}" for name, why in report["failed"].items()]
    known = report["versions"]
    measured = [each["name"] for each in report["measures"]]
    PAGE.write_text(
        HEAD.format(
            taken=report["taken"],
            scale=report["scale"],
            machine=known["machine"],
            fsync=known["fsync"],
            synchronous_commit=known["synchronous_commit"],
            ratios="\n".join(ratios),
            short="\n".join(short) or "Nothing in this run.",
            pictures="\n".join(line for each in report["measures"] if each.get("growth") for line in _picture(each)),
            elsewhere="\n".join(_elsewhere(report["measures"])),
            against="\n".join(f"- **{name}** {AGAINST[name]}" for name in measured if name in AGAINST),
            figures="\n".join(line for each in report["measures"] for line in _figures(each)),
            versions=", ".join(f"{name} {value}" for name, value in known.items()),
        )
    )


def _picture(found: Mapping[str, Any]) -> Iterator[str]:
    """Draw one measure's growth beside the page; the figures once more as a table."""
    path = PAGE.with_name(f"growth-{found['name'].lower()}.svg")
    title, growth = f"{found['name']}: {found['title']}", found["growth"]
    path.write_text(draw(title, growth))
    yield f"\n![{title}]({path.name})\n"
    yield f"| {growth['of']} | " + " | ".join(f"{size:,}" for size in growth["x"]) + " |"
    yield "|---" * (len(growth["x"]) + 1) + "|"
    for name, values in growth["series"].items():
        yield f"| {name}, {growth['unit']} | " + " | ".join("" if value is None else f"{value:,.1f}" for value in values) + " |"
    yield ""


def _elsewhere(measures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """This run's figures beside those of others; no row for what this run did not measure."""
    medians = {each["name"]: {name.strip(): value for name, value in each["medians"].items()} for each in measures}
    for what, name, variant, theirs, others in ELSEWHERE:
        ours = medians.get(name, {}).get(variant)
        if ours is not None:
            yield f"| {what} | {ours:,.{0 if ours >= 20 else 1}f} | {theirs} | {others} |"


def _figures(found: Mapping[str, Any]) -> Iterator[str]:
    """One measure's medians and spreads."""
    yield f"\n### {found['name']}: {found['title']}\n"
    yield f"{found['unit']}; medians of {found['rounds']}; {busy(found)}.\n"
    yield "| variant | median | spread |\n|---|---|---|"
    for name, median in found["medians"].items():
        yield f"| {name.strip()} | {median:,.1f} | {min(found['figures'][name]):,.1f} … {max(found['figures'][name]):,.1f} |"
