"""`python -m tests.bench [NAME …]`: measure, print a table, keep the figures as JSON under var/bench/."""

import argparse
import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.loop import run
from tests.bench import (
    l2_figures,
    p1_command,
    p2_http,
    p3_key,
    p4_outbox,
    p5_courier,
    p6_inbox,
    p7_billing,
    p7_telco,
    p8_prices,
    p9_latency,
    p10_interactive,
    p11_idle,
    p12_policy,
    p13_reconnect,
    p14_kafka,
    p15_import,
    p16_customers,
    p17_simulation,
    p_lists,
    w1_webhooks,
)
from tests.bench.page import busy, scaled, write_page
from tests.bench.runner import Bench, Measure, measure, open_bench, versions

MEASURES: Mapping[str, Callable[[Bench], Awaitable[Measure]]] = {
    "P1": p1_command.prepare,
    "P2": p2_http.prepare,
    "P3": p3_key.prepare,
    "P4": p4_outbox.prepare,
    "P5": p5_courier.prepare,
    "P6": p6_inbox.prepare,
    "P7": p7_billing.prepare,
    **({"P7T": p7_telco.prepare} if p7_telco.here() else {}),
    "P8": p8_prices.prepare,
    "P9": p9_latency.prepare,
    "P10": p10_interactive.prepare,
    "P11": p11_idle.prepare,
    "P12": p12_policy.prepare,
    "P13": p13_reconnect.prepare,
    "P14": p14_kafka.prepare,
    "P15": p15_import.prepare,
    "P16": p16_customers.prepare,
    "P17": p17_simulation.prepare,
    "L1": p_lists.prepare,
    "L2": l2_figures.prepare,
    "W1": w1_webhooks.prepare,
}
FOLDER = Path("var/bench")


def show(found: Mapping[str, Any]) -> None:
    """One measure as a table."""
    print(f"\n{found['name']}  {found['title']} ({found['unit']}, medians of {found['rounds']})   {busy(found)}")
    for name, median in found["medians"].items():
        spread = f"{min(found['figures'][name]):,.1f} … {max(found['figures'][name]):,.1f}"
        print(f"    {name:<28}{median:>14,.1f}   {spread}")
    growth = found["growth"] or {"series": {}}
    for name, values in growth["series"].items():
        points = [f"{size:,}: {value:,.1f}" for size, value in zip(growth["x"], values, strict=True) if value is not None]
        print(f"    {name:<28}  {'  '.join(points)}")
    for goal in found["goals"]:
        print(f"    {goal['label']:<28}{goal['ratio']:>14.2f}   {goal['asked']}: {goal['verdict']}{scaled(goal)}")


def show_short(report: Mapping[str, Any]) -> None:
    """What falls short, last of all."""
    short = [f"{each['name']} {goal['label']}: {goal['ratio']:.2f}, {goal['asked']}, {goal['verdict']}{scaled(goal)}"
             for each in report["measures"] for goal in each["goals"] if goal["verdict"] != "met"]  # fmt: skip
    short += [f"{name} failed: {why}" for name, why in report["failed"].items()]
    print("\nFalls short: " + ("nothing" if not short else "".join(f"\n    {each}" for each in short)))


async def main() -> int:
    parser = argparse.ArgumentParser(description="Measure beside the raw limits of the same run.")
    parser.add_argument("names", nargs="*", help=f"which ones: {', '.join(MEASURES)} (all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="more or less work per round")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md from this run")
    parser.add_argument("--page", nargs="+", type=Path, help="measure nothing: write it from these JSON files, of one state of the code")
    arguments = parser.parse_args()
    if arguments.write and arguments.names:
        parser.error("--write takes all measures")
    if unknown := set(arguments.names) - set(MEASURES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if arguments.page:
        write_page(together([json.loads(each.read_text()) for each in arguments.page]))
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    async with open_bench(arguments.scale) as bench:
        report: dict[str, Any] = {"versions": await versions(bench.stock.url), "measures": [], "failed": {}}
        report["taken"], report["scale"] = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", arguments.scale
        print("  ".join(f"{name} {value}" for name, value in report["versions"].items()))
        for name in arguments.names or MEASURES:
            await one(bench, name, arguments.rounds, report)
            path.write_text(json.dumps(report, indent=1, default=str))
    show_short(report)
    if arguments.write:
        write_page(report)
    print(f"\n{path}")
    return len(report["failed"])


def together(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Runs of some measures each as one: of one taken twice the later counts, of one that failed whether it was ever taken."""
    taken = {each["name"]: each for report in reports for each in report["measures"]}
    failed = {name: why for report in reports for name, why in report["failed"].items() if name not in taken}
    when = ", ".join(str(report["taken"]) for report in reports)
    return reports[-1] | {"taken": when, "measures": [taken[name] for name in MEASURES if name in taken], "failed": failed}


async def one(bench: Bench, name: str, rounds: int, report: dict[str, Any]) -> None:
    """Take one measure; one that fails is told, and the others go on."""
    try:
        report["measures"].append(await measure(await MEASURES[name](bench), rounds, bench.stock))
        show(report["measures"][-1])
    except Exception as error:  # noqa: BLE001 - an hour of other figures is not thrown away
        traceback.print_exc()
        report["failed"][name] = f"{type(error).__name__}: {error}"
    finally:
        await bench.close()


if __name__ == "__main__":
    sys.exit(run(main()))
