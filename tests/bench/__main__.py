"""`python -m tests.bench [NAME …]`: measure, print a table, keep the figures as JSON under var/bench/."""

import argparse
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.loop import run
from tests.bench import p1_command, p4_outbox, p5_courier, p6_inbox, p7_billing, p9_latency, p11_idle
from tests.bench.runner import Bench, Measure, measure, open_bench, steal_percent, versions

MEASURES: Mapping[str, Callable[[Bench], Awaitable[Measure]]] = {
    "P1": p1_command.prepare,
    "P4": p4_outbox.prepare,
    "P5": p5_courier.prepare,
    "P6": p6_inbox.prepare,
    "P7": p7_billing.prepare,
    "P9": p9_latency.prepare,
    "P11": p11_idle.prepare,
}
FOLDER = Path("var/bench")


def show(found: Mapping[str, Any]) -> None:
    """One measure as a table."""
    state = found["machine"]
    steal = steal_percent(state["before"], state["after"])
    load = " → ".join(f"{each['load'][0]:.1f}" for each in (state["before"], state["after"]))
    print(
        f"\n{found['name']}  {found['title']} ({found['unit']}, medians)   load {load}"
        + (f", steal {steal:.0f} %" if steal is not None else "")
    )
    for name, median in found["medians"].items():
        spread = f"{min(found['figures'][name]):,.1f} … {max(found['figures'][name]):,.1f}"
        print(f"    {name:<28}{median:>14,.1f}   {spread}")
    for goal in found["goals"]:
        print(f"    {goal['label']:<28}{goal['ratio']:>14.2f}   goal {goal['must']:g}: {goal['verdict']}")


async def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the event path beside the raw limits of the same run.")
    parser.add_argument("names", nargs="*", help=f"which ones: {', '.join(MEASURES)} (all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="more or less work per round")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MEASURES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    async with open_bench(arguments.scale) as bench:
        report: dict[str, Any] = {"versions": await versions(bench.stock.url), "measures": []}
        print("  ".join(f"{name} {value}" for name, value in report["versions"].items()))
        for name in arguments.names or MEASURES:
            report["measures"].append(await measure(await MEASURES[name](bench), arguments.rounds))
            show(report["measures"][-1])
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(report, indent=1, default=str))
    print(f"\n{path}")


if __name__ == "__main__":
    run(main())
