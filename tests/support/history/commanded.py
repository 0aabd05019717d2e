"""I1 and I2 of commands: acknowledged is done once and kept as it was answered, refused is nothing, and nobody else did anything."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.support.history.commands import Command, History, Outcome
from tests.support.history.evidence import Evidence, Held, Row, Told
from tests.support.history.verdict import Violation

ID = "[0-9a-f-]{36}"
CUSTOMER = f"/collections/customers/(?P<customer_id>{ID})"
# What a command makes true is told once, in its own transaction: path → event, and which of its fields the path or the answer gives.
TELLS = {
    "/billing/payments": ("billing.payment_reported.v1", {"payment_id": "id"}),
    f"/billing/payments/(?P<payment_id>{ID})/confirm": ("billing.payment_confirmed.v1", {}),
    f"/billing/payments/(?P<payment_id>{ID})/reject": ("billing.payment_rejected.v1", {}),
    "/billing/customers": ("billing.customer_registered.v1", {"customer_id": "id"}),
    f"/billing/invoices/(?P<invoice_id>{ID})/void": ("billing.invoice_voided.v1", {}),
    f"{CUSTOMER}/promises": ("collections.promise_made.v1", {}),
    f"{CUSTOMER}/payment-plans": ("collections.payment_plan_agreed.v1", {}),
    f"{CUSTOMER}/contacts": ("collections.contact_recorded.v1", {}),
    f"{CUSTOMER}/invoice-dispatches": ("collections.invoice_dispatch_requested.v1", {}),
    f"{CUSTOMER}/suspension-notices": ("collections.suspension_notice_requested.v1", {}),
    f"{CUSTOMER}/suspensions": ("collections.suspension_requested.v1", {}),
    f"{CUSTOMER}/reconnections": ("collections.reconnection_requested.v1", {}),
    "/noc/outages": ("noc.outage_declared.v1", {"outage_id": "id"}),
    f"/noc/outages/(?P<outage_id>{ID})/close": ("noc.outage_closed.v1", {}),
}
SEALED = re.compile(r"[0-9a-f]{8}\.gAAAA[\w=-]+")  # an answer that showed a secret, as it is kept
SAID = ("amount", "customer_id", "reference", "channel", "access_node", "due_at")  # what the body said and the event repeats


def judge(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Each command against the key, the answer, the audit entry and the event that it left."""
    commands: dict[str, list[Command]] = defaultdict(list)
    for each in history.commands():
        commands[each.first.service].append(each)
    for service, held in evidence.services.items():
        kept: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in held.tables["idempotency_key"]:
            kept[row["principal"], row["key"]].append(row)
        book = _Book(service, held, evidence.told[service])
        for command in commands[service]:
            if command.first.method == "POST":
                yield from _posted(command, [row for row in kept[command.first.person, command.first.key] if fits(row, command)], book)
        yield from _audited(commands[service], book)
        if history.complete:
            yield from _unasked(commands[service], kept, service)


class _Book:
    """What one service wrote down of its commands, by transaction."""

    def __init__(self, service: str, held: Held, told: list[Told]) -> None:
        self.service, self.held = service, held
        self.transaction = {
            (each.row["principal"], each.row["route"], each.row["key"]): each.xid for each in held.changes("idempotency_key", "INSERT")
        }
        self.together = Counter(
            (each.xid, each.row["principal"], each.row["status"]) for each in held.changes("idempotency_key", "INSERT")
        )  # a crowd of commands may share a transaction
        self.audits: dict[int, list[Row]] = defaultdict(list)
        for seen in held.changes("audit_entry", "INSERT"):
            self.audits[seen.xid].append(seen.row)
        self.told_in: dict[int | None, list[Told]] = defaultdict(list)
        self.told_of: dict[str, list[Told]] = defaultdict(list)
        for each in told:
            self.told_in[each.xid].append(each)
            self.told_of[each.type].append(each)


def _posted(command: Command, rows: list[Row], book: _Book) -> Iterator[Violation]:
    look = f"{book.service}.idempotency_key and audit_entry"
    bodies = {each.body for each in command.answers}
    if len(bodies) > 1:
        yield Violation("I2", "two different requests under one key were both acknowledged", command.name, look)
    if len({(each.status, each.answer) for each in command.answers}) > 1:
        yield Violation("I1", "one command got two different answers", command.name, look)
    if command.outcome is Outcome.REFUSED and rows:
        yield Violation("I2", "a refused command was carried out", command.name, look)
    if command.outcome is Outcome.ACKNOWLEDGED and not rows:
        yield Violation("I1", "an acknowledged command was never committed", command.name, look)
    for row in rows:
        yield from _kept(command, row, book, look)


def _kept(command: Command, row: Row, book: _Book, look: str) -> Iterator[Violation]:
    body = bytes.fromhex(row["body"].removeprefix("\\x")).decode("utf-8", "replace")
    if SEALED.fullmatch(body) and command.answers:
        body = command.answers[-1].answer  # nobody reads it here: that repetitions get the same answer is seen above
    if any((each.status, each.answer) != (row["status"], body) for each in command.answers):
        yield Violation("I1", "what was answered is not what is kept for a repetition", command.name, look)
    xid = book.transaction.get((row["principal"], row["route"], row["key"]))
    if xid is not None:
        entries = [
            each
            for each in book.audits[xid]
            if (each["person"], each["method"], each["status"]) == (row["principal"], "POST", row["status"])
        ]
        if len(entries) != (wanted := book.together[xid, row["principal"], row["status"]]):
            yield Violation("I1", f"a command's transaction has {len(entries)} audit entries, not {wanted}", command.name, look)
    yield from _told(command, xid, body, book)


def _told(command: Command, xid: int | None, body: str, book: _Book) -> Iterator[Violation]:
    found = expected(command.first.path)
    if found is None:
        return
    kind, wanted = found[0], dict(found[2])
    answer = json.loads(body) if body else {}
    wanted |= {field: answer[name] for field, name in found[1].items()}
    among = book.told_in[xid] if xid is not None else book.told_of[kind]
    events = [each for each in among if each.type == kind and all(each.data.get(name) == value for name, value in wanted.items())]
    exactly = xid is not None or bool(set(wanted) - {"customer_id"})
    if not events or (exactly and len(events) != 1):
        yield Violation("I1", f"a command told {kind} {len(events)} times, not once", command.name, f"{book.service}'s outbox, {wanted}")
    sent = json.loads(command.answers[0].body) if command.answers and command.answers[0].body else {}
    for each in events if exactly else []:
        for name in SAID:
            if name in sent and name in each.data and not _same(sent[name], each.data[name]):
                what = f"{kind} tells another {name} than was asked for"
                yield Violation("I1", what, command.name, f"event {each.id}")


def _same(asked: Any, told: Any) -> bool:
    if isinstance(asked, dict):  # an amount of money
        asked = asked.get("amount")
    try:
        return bool(float(asked) == float(told))
    except (TypeError, ValueError):
        return str(asked)[:16] == str(told)[:16] or "T" in str(told)  # an instant may be written in another zone


def _audited(commands: list[Command], book: _Book) -> Iterator[Violation]:
    """Whatever was acknowledged is written down once with who did it."""
    entries = Counter((each["person"], each["method"], each["path"]) for each in book.held.tables["audit_entry"])
    sure: Counter[tuple[str, str, str]] = Counter()
    perhaps: Counter[tuple[str, str, str]] = Counter()
    for each in commands:
        name = (each.first.person, each.first.method, each.first.path)
        sure[name] += each.outcome is Outcome.ACKNOWLEDGED
        perhaps[name] += each.outcome is not Outcome.REFUSED
    for name in sure | perhaps:
        if not sure[name] <= entries[name] <= perhaps[name]:
            what = f"{sure[name]} acknowledged and {perhaps[name] - sure[name]} unknown commands have {entries[name]} audit entries"
            yield Violation("I1" if entries[name] < sure[name] else "I2", what, " ".join(name), f"{book.service}.audit_entry")


def _unasked(commands: list[Command], kept: dict[tuple[str, str], list[Row]], service: str) -> Iterator[Violation]:
    """Keys that nobody sent."""
    sent: dict[tuple[str, str], list[Command]] = defaultdict(list)
    for each in commands:
        sent[each.first.person, each.first.key].append(each)
    for name, rows in kept.items():
        for row in rows:
            if not any(fits(row, each) for each in sent[name]):
                what = "something was carried out that nobody asked for"
                yield Violation("I2", what, f"{row['route']}, key {row['key']}", f"{service}.idempotency_key")


def fits(row: Row, command: Command) -> bool:
    """Is this the kept answer of that command's path?"""
    method, _, template = str(row["route"]).partition(" ")
    return method == command.first.method and bool(_pattern(template).search(command.first.path))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(".+".join(re.escape(part) for part in re.split(r"\{[^}]+\}", template)) + "$")


def expected(path: str) -> tuple[str, dict[str, str], dict[str, str]] | None:
    """The event that a command at this path tells, the fields that its answer gives, and those that the path gives."""
    for pattern, (kind, answered) in TELLS.items():
        if found := re.fullmatch(pattern, path):
            return kind, answered, found.groupdict()
    return None
