"""I4 and I6: sentences that each service says of its own tables, timers that fire once, and nothing left under way."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from tests.support.history.evidence import Evidence, Held, Row
from tests.support.history.verdict import Violation

UNDER_WAY = {
    "outbox": "not sent",
    "outbox_held": "held for a receiver that was down",
    "inbox_pending": "brought and not handled",
    "parked_event": "set aside",
}
# The jobs' own rows that are neither done nor with a person.
UNDONE = {
    "billing": {"billing_run": ("state", {"RUNNING"}), "import_batch": ("state", {"QUEUED", "READING", "MERGING"})},
    "ticketing": {"network_switch": ("state", {"QUEUED", "CLAIMED"})},
    "notifier": {"delivery": ("state", {"SENDING"})},
}


def judge(evidence: Evidence) -> Iterator[Violation]:
    """Each service for itself."""
    now = datetime.fromisoformat(evidence.now)
    for service, held in evidence.services.items():
        for sentence in held.broken:
            yield Violation("I4", "a sentence does not hold", sentence, f"services/{service}/queries")
        yield from _left(service, held, now)
        yield from _timers(service, held)


def _left(service: str, held: Held, now: datetime) -> Iterator[Violation]:
    for table, state in UNDER_WAY.items():
        for row in held.tables[table]:
            why = " ".join(str(row.get(name) or "") for name in ("receiver", "reason", "detail")).strip()
            what = f"{service} has an event {state} {why}".strip()
            yield Violation("I6", what, f"{row['type']} of {row['subject']} (event {row['event_id']})", f"{service}.{table}")
    for row in held.tables["timer"]:
        if row["failures"] or datetime.fromisoformat(row["due_at"]) <= now:
            yield Violation("I6", f"{service} has a timer that is due", f"{row['kind']} {row['key']}", f"{service}.timer")
    for table, (column, states) in UNDONE.get(service, {}).items():
        for row in held.tables[table]:
            if row[column] in states:
                yield Violation("I6", f"{service} has something {row[column]}", f"{table} {row['id']}", f"{service}.{table}")


def _timers(service: str, held: Held) -> Iterator[Violation]:
    """One that was armed fires once, in the transaction that takes it away, and not after it was cancelled."""
    taken = Counter((*_name(seen.row), seen.xid) for seen in held.changes("timer", "DELETE"))
    fired = Counter((*_name(seen.row), seen.row["due_at"]) for seen in held.changes("timer", "FIRED"))
    armed = Counter((*_name(seen.row), seen.row["due_at"]) for seen in held.changes("timer", "INSERT", "UPDATE"))
    for (kind, key, due), count in fired.items():
        if count > max(1, armed[kind, key, due]):
            yield Violation("I1", f"{service} fired a timer {count} times, not once", f"{kind} {key} of {due}", f"{service}.timer")
    for seen in held.changes("timer", "FIRED"):
        if not taken[(*_name(seen.row), seen.xid)]:
            what = f"{service} fired a timer that this transaction did not take away"
            yield Violation("I1", what, " ".join(_name(seen.row)), f"{service}.timer, transaction {seen.xid}")


def _name(row: Row) -> tuple[str, str]:
    return str(row["kind"]), str(row["key"])
