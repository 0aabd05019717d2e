"""The bank: its file of the month, day by day, as billing's people import it. Another book gets a bank made up from its own invoices."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from services.demo.cast import open_parties
from services.demo.story import Party, Story

MADE_UP = """
kind: payments
source: banco
dates: ["%Y-%m-%d"]
payment: {reference: reference, customer: customer, amount: amount, date: date, channel: {constant: banco}}
"""
PAY_OF_20 = 16  # of twenty customers, this many pay by themselves in time


@dataclass
class Deposits:
    """What the bank has seen, by day, with the mapping to read it; `payers` are the customers who pay by themselves (external ids)."""

    header: str
    lines: list[tuple[date, str]]
    mapping: str
    payers: frozenset[str]
    told: int = 0


async def deposits(story: Story, books: Path | None) -> Deposits:
    """The shipped bank file where the sample is played, else one made up."""
    if books is not None and (books / "pagos_banco.csv").is_file():
        return _shipped(books)
    parties = [party for policy in story.operator.policies for party in await open_parties(story, policy)]
    return _made_up(story, parties)


def _shipped(books: Path) -> Deposits:
    lines = (books / "pagos_banco.csv").read_text(encoding="utf-8-sig").splitlines()
    rows = list(csv.DictReader(lines, delimiter=";"))
    dates = [datetime.strptime(row["Fecha"], "%d/%m/%Y").date() for row in rows]  # noqa: DTZ007 - a day
    payers = frozenset(row["Cliente"] for row in rows)
    return Deposits(lines[0], list(zip(dates, lines[1:], strict=True)), (books / "banco.mapping.yaml").read_text(), payers)


def _made_up(story: Story, parties: Sequence[Party]) -> Deposits:
    """Of twenty customers, sixteen pay in the first days, one after the residential cut, the others not by themselves."""
    lines = []
    for number, each in enumerate(parties):
        place = number % 20
        if place > PAY_OF_20:
            continue
        day = story.at(24 if place == PAY_OF_20 else 3 + number % 7).date()
        text = io.StringIO()
        csv.writer(text).writerow([f"B{number:07d}", each.external_id, f"{each.owed:.2f}", day.isoformat()])
        lines.append((day, text.getvalue().strip()))
    payers = frozenset(each.external_id for number, each in enumerate(parties) if number % 20 <= PAY_OF_20)
    return Deposits("reference,customer,amount,date", sorted(lines), MADE_UP, payers)


async def import_until(story: Story, deposits: Deposits, day: int) -> None:
    """Bring in what the bank saw up to this day of the month; business time is that day already."""
    last = story.at(day).date()
    new = [line for when, line in deposits.lines[deposits.told :] if when <= last]
    if not new:
        return
    deposits.told += len(new)
    person = story.people.with_permission("billing.imports")
    content = _file(deposits.header, new)
    started = await story.people.upload(person, "/billing/imports", f"banco-{last.isoformat()}.csv", content, deposits.mapping)
    await story.settle()
    done = await story.people.get(person, f"/billing/imports/{started['id']}")
    story.figures["pagos del banco"] += done["rows_new"]
    story.say(f"día {day}: el banco trae {done['rows_new']} pagos, {done['rows_bad']} filas con error")
    for fault in (await story.people.get(person, f"/billing/imports/{done['id']}/faults"))["items"]:
        story.say(f"  {fault['column']} «{fault['value']}»: {fault['reason']}")


def _file(header: str, lines: Iterable[str]) -> bytes:
    return ("\n".join([header, *lines]) + "\n").encode()
