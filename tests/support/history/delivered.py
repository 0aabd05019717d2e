"""I1, I3 and I5 of what arrives: each subscriber has each of its events once, in the order of its aggregate, and has handled it once."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from tests.support.history.evidence import Evidence, Held, Told
from tests.support.history.verdict import Violation


def judge(evidence: Evidence) -> Iterator[Violation]:
    """Every subscriber's inbox against what everybody told."""
    everything = [each for told in evidence.told.values() for each in told]
    known = {each.id: each for each in everything}
    for service, held in evidence.services.items():
        wanted = [each for each in everything if each.type in held.listens]
        yield from _claimed(service, held, wanted, known, set(evidence.injected))
        yield from _unparked(service, held)
        if held.witnessed:
            yield from _claims_in_order(service, held, known)
        if held.handled:
            yield from _handled(service, held, wanted, known, set(evidence.injected))
    if evidence.topics is not None:
        yield from _in_topics(evidence.topics, known, set(evidence.injected))


def _in_topics(topics: list[Told], known: dict[str, Told], injected: set[str]) -> Iterator[Violation]:
    """What a topic holds is what was told, all of it, each aggregate in its order; copies are the receivers' affair."""
    first: dict[str, Told] = {}
    for each in topics:
        first.setdefault(each.id, each)
    for event_id in first.keys() - known.keys() - injected:
        yield Violation("I2", "a topic has an event that nobody told", f"event {event_id}", f"the topic of {first[event_id].source}")
    for event_id in known.keys() - first.keys():
        yield Violation("I5", "an event is not in its topic", f"event {event_id}", f"the topic of {known[event_id].source}")
    last: dict[tuple[str, str], int] = defaultdict(int)
    for each in first.values():
        name = (each.source, each.subject)
        if each.id in known and replace(known[each.id], xid=None) != each:
            yield Violation("I1", "an event stands in its topic other than it was told", f"event {each.id}", f"the topic of {each.source}")
        if each.id in known and each.sequence != last[name] + 1:
            what = f"version {each.sequence} stands behind version {last[name]} in a topic"
            yield Violation("I3", what, f"{each.source} {each.subject}", f"event {each.id}")
        last[name] = each.sequence


def _claimed(service: str, held: Held, wanted: list[Told], known: dict[str, Told], injected: set[str]) -> Iterator[Violation]:
    inbox = Counter(str(row["event_id"]) for row in held.tables["inbox"])
    for each in wanted:
        if inbox[each.id] != 1:
            what = f"{service} has an event {inbox[each.id]} times in its inbox, not once"
            yield Violation("I5", what, f"{each.type} of {each.subject} (event {each.id})", f"{service}.inbox; {each.source}'s outbox_held")
    for event_id in inbox.keys() - {each.id for each in wanted} - injected:
        of = f"{known[event_id].type}, to which it does not subscribe" if event_id in known else "that nobody told"
        yield Violation("I2", f"{service} has an event in its inbox {of}", f"event {event_id}", f"{service}.inbox")


def _unparked(service: str, held: Held) -> Iterator[Violation]:
    """A parked event leaves its place only by being handled, or by a person's word; it is never parked twice."""
    parked: Counter[str] = Counter()
    for seen in held.changes("parked_event", "INSERT"):
        parked[str(seen.row["event_id"])] += 1
    for event_id, count in parked.items():
        if count > 1:
            yield Violation("I5", f"{service} set one event aside {count} times", f"event {event_id}", f"{service}.parked_event")


def _claims_in_order(service: str, held: Held, known: dict[str, Told]) -> Iterator[Violation]:
    """Events of one aggregate arrive in the order of their versions; within one batch only handlers can tell."""
    last: dict[tuple[str, str], tuple[int, int]] = {}
    for seen in held.changes("inbox", "INSERT"):
        told = known.get(str(seen.row["event_id"]))
        if told is None:
            continue
        name = (told.source, told.subject)
        sequence, xid = last.get(name, (0, -1))
        if xid != seen.xid and told.sequence < sequence:
            what = f"{service} took version {told.sequence} after version {sequence}"
            yield Violation("I3", what, f"{told.source} {told.subject}", f"event {told.id} in {service}.inbox")
        last[name] = (max(sequence, told.sequence), seen.xid)


def _handled(service: str, held: Held, wanted: list[Told], known: dict[str, Told], injected: set[str]) -> Iterator[Violation]:
    count = Counter(event_id for event_id, _ in held.handled)
    aside = {str(row["event_id"]) for row in held.tables["parked_event"]} | _discarded(held)
    claimed = {str(seen.row["event_id"]): seen.xid for seen in held.changes("inbox", "INSERT")}
    freed = {str(seen.row["event_id"]): seen.xid for seen in held.changes("parked_event", "DELETE")}
    for each in wanted:
        if count[each.id] != 1 and not (each.id in aside and count[each.id] == 0):
            what = f"{service} handled an event {count[each.id]} times, not once"
            yield Violation("I1", what, f"{each.type} of {each.subject} (event {each.id})", f"{service}'s handler of it")
    last: dict[tuple[str, str], int] = defaultdict(int)
    for event_id, xid in held.handled:
        told = known.get(event_id)
        if told is None and event_id in injected:
            continue
        if told is None:
            yield Violation("I2", f"{service} handled an event that nobody told", f"event {event_id}", f"{service}'s inbox")
            continue
        if xid not in (claimed.get(event_id), freed.get(event_id)):
            yield Violation(
                "I1", f"{service} handled an event outside the transaction of its claim", f"event {event_id}", f"{service}.inbox"
            )
        name = (told.source, told.subject)
        if told.sequence <= last[name]:
            what = f"{service} handled version {told.sequence} after version {last[name]}"
            yield Violation("I3", what, f"{told.source} {told.subject}", f"event {told.id} ({told.type})")
        last[name] = max(last[name], told.sequence)


def _discarded(held: Held) -> set[str]:
    """Dead letters that a person discarded: taken away as they were, and handled by nobody."""
    handled = {event_id for event_id, _ in held.handled}
    gone = held.changes("parked_event", "DELETE")
    return {str(seen.row["event_id"]) for seen in gone if seen.row["reason"] == "dead"} - handled
