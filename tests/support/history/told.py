"""I1, I2 and I3 of what is told: each change of an aggregate has its event in the same transaction, versions +1, and each fact once."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from shared.events import CATALOGUE
from tests.support.history.evidence import Evidence, Held, Told
from tests.support.history.verdict import Violation
from tests.support.history.witness import AGGREGATES

# What can happen to a thing only once: event → the field that names the thing.
ONCE = {
    "billing.customer_registered.v1": "customer_id",
    "billing.invoice_issued.v1": "invoice_id",
    "billing.invoice_overdue.v1": "invoice_id",
    "billing.invoice_paid.v1": "invoice_id",
    "billing.invoice_voided.v1": "invoice_id",
    "billing.payment_reported.v1": "payment_id",
    "billing.payment_confirmed.v1": "payment_id",
    "billing.payment_rejected.v1": "payment_id",
    "billing.billing_run_completed.v1": "period",
    "collections.contact_recorded.v1": "contact_id",
    "collections.promise_made.v1": "promise_id",
    "collections.payment_plan_agreed.v1": "plan_id",
    "collections.suspension_notice_requested.v1": "notice_id",
    "collections.suspension_requested.v1": "suspension_id",
    "collections.suspension_withdrawn.v1": "suspension_id",
    "collections.reconnection_requested.v1": "reconnection_id",
    "ticketing.ticket_opened.v1": "ticket_id",
    "ticketing.ticket_closed.v1": "ticket_id",
    "ticketing.service_suspended.v1": "suspension_id",
    "ticketing.service_reconnected.v1": "suspension_id",
    "ticketing.suspension_cancelled.v1": "suspension_id",
    "ticketing.reconnection_ordered.v1": "suspension_id",
    "noc.outage_declared.v1": "outage_id",
    "noc.outage_closed.v1": "outage_id",
    "notifier.message_accepted.v1": "message_id",
}
UNTOLD = frozenset({"billing_run"})  # its one event is its end; the chunks tell the rest


def judge(evidence: Evidence) -> Iterator[Violation]:
    """Every sender's events against its aggregates."""
    for service, held in evidence.services.items():
        told = evidence.told[service]
        yield from _in_order(service, told)
        yield from _once(service, told)
        yield from _addressed(service, told)
        yield from _final(service, held, told)
        if held.witnessed:
            yield from _together(service, held, told)


def _in_order(service: str, told: list[Told]) -> Iterator[Violation]:
    """1, 2, 3 … in the order in which they were published."""
    last: dict[str, int] = defaultdict(int)
    for each in told:
        if each.sequence != last[each.subject] + 1:
            what = f"version {each.sequence} follows version {last[each.subject]}"
            yield Violation("I3", what, f"{service} {each.subject}", f"event {each.id} ({each.type})")
        last[each.subject] = each.sequence


def _addressed(service: str, told: list[Told]) -> Iterator[Violation]:
    """An event bears its own key, which keeps its order, and is told by whom it is named after."""
    for each in told:
        known = CATALOGUE.get(each.type)
        if known is not None and (known.model_validate(each.data).key(), known.TYPE.partition(".")[0]) != (each.key, service):
            yield Violation("I3", f"an event is told by {service} under the key {each.key}", f"event {each.id} ({each.type})", "publish")


def _once(service: str, told: list[Told]) -> Iterator[Violation]:
    found = Counter((each.type, str(each.data[ONCE[each.type]])) for each in told if each.type in ONCE)
    for (kind, thing), count in found.items():
        if count > 1:
            yield Violation("I1", f"{kind} was told {count} times of one thing", f"{ONCE[kind]} {thing}", f"{service}'s events of it")


def _final(service: str, held: Held, told: list[Told]) -> Iterator[Violation]:
    """An aggregate's version is the number of its events; an event of an aggregate that is not there is nobody's."""
    count = Counter(each.subject for each in told)
    for prefix, table in AGGREGATES.get(service, {}).items():
        versions = {f"{prefix}/{row['id']}": int(row["version"]) for row in held.tables[table]}
        for subject, version in versions.items():
            if prefix not in UNTOLD and version != count[subject]:
                what = f"is at version {version} and has told {count[subject]} events"
                yield Violation("I1" if version > count[subject] else "I2", what, f"{service} {subject}", f"{service}.{table}")
        for subject in count:
            if subject.startswith(f"{prefix}/") and subject not in versions:
                yield Violation("I2", "events were told of something that is not there", f"{service} {subject}", f"{service}.{table}")


def _together(service: str, held: Held, told: list[Told]) -> Iterator[Violation]:
    """Change and event are committed together: whatever raised a version told of it in the same transaction, and the other way round."""
    in_transaction: dict[tuple[str, int], int | None] = {(each.subject, each.sequence): each.xid for each in told}
    raised: dict[tuple[str, int], int] = {}
    for prefix, table in AGGREGATES.get(service, {}).items():
        if prefix in UNTOLD:
            continue
        last: dict[str, int] = {}
        for seen in held.changes(table, "INSERT", "UPDATE"):
            subject, version = f"{prefix}/{seen.row['id']}", int(seen.row["version"])
            if version < last.get(subject, 0):
                yield Violation("I3", f"went back from version {last[subject]} to {version}", f"{service} {subject}", f"{service}.{table}")
            raised |= {(subject, each): seen.xid for each in range(last.get(subject, 0) + 1, version + 1)}
            last[subject] = version
        for (subject, version), xid in raised.items():
            if in_transaction.get((subject, version), xid) != xid:
                what = f"version {version} and its event were committed apart"
                yield Violation("I2", what, f"{service} {subject}", f"transactions {xid} and {in_transaction[subject, version]}")
        raised = {}
