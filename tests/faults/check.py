"""What must hold whenever nothing is under way, whatever has happened: the judge of tests.support.history, and the order in the topics."""

from uuid import UUID

from shared.events import Envelope
from shared.kafka.cluster import from_record
from tests.faults.broker import told
from tests.faults.fault import Finding
from tests.faults.stage import Stage
from tests.support.history import gather, violations
from tests.support.history.evidence import Held, Seen


async def check(stage: Stage) -> list[Finding]:
    """Everything that is not as it must be since the run began."""
    evidence = await gather(stage.addresses(), operator=stage.house.operator, now=await stage.today(), maildir=stage.house.maildir)
    for held in evidence.services.values():  # what we put into the topics ourselves was told by nobody
        held.tables["inbox"] = [row for row in held.tables["inbox"] if row["event_id"] not in stage.strangers]
    for service, first, last in stage.unwatched:
        _believe(evidence.services[service], first, last)
    found = [Finding(each.invariant, str(each)) for each in violations(stage.history, evidence)]
    return found + await out_of_order(stage)


def _believe(held: Held, first: int, last: int) -> None:
    """Old code writes down nothing of what its handlers had in hand: what it claimed counts as handled in the transaction of the claim."""
    known = {event_id for event_id, _ in held.handled}
    aside = {row["event_id"] for row in held.tables["parked_event"]}
    for seen in held.changes("inbox", "INSERT"):
        event_id = seen.row["event_id"]
        if first < seen.at <= last and event_id not in known and event_id not in aside:
            held.seen.append(Seen(seen.at, seen.xid, "event", "HANDLED", {"event_id": event_id}))
    held.seen.sort(key=lambda each: each.at)
    del held.handled  # it is remembered, and different now


async def out_of_order(stage: Stage) -> list[Finding]:
    """Aggregates whose versions are not 1, 2, 3 … in the topics, as whoever follows them reads them; a repeat of an event counts once."""
    events: dict[UUID, Envelope] = {}
    for record in await told(stage):
        envelope, fault = from_record(record)
        if fault is None and str(envelope.id) not in stage.strangers:
            events.setdefault(envelope.id, envelope)
    last: dict[tuple[str, str], int] = {}
    found = []
    for each in events.values():
        before = last.get((each.source, each.subject), 0)
        if each.sequence != before + 1:
            found.append(Finding("I3", f"{each.source} {each.subject}: {each.type} is {each.sequence} after {before} in its topic"))
        last[each.source, each.subject] = each.sequence
    return found
