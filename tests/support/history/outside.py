"""I1 and I2 outside the databases: what the network was told to do, and what the mail servers have."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.support.history.evidence import Evidence, Held, Mail, Row
from tests.support.history.verdict import Violation


def judge(evidence: Evidence) -> Iterator[Violation]:
    """Switches against calls, deliveries against mails."""
    if "ticketing" in evidence.services:
        yield from _network(evidence.services["ticketing"])
    if "notifier" in evidence.services:
        yield from _messages(evidence.services["notifier"], evidence)
        yield from _deliveries(evidence.services["notifier"])
        if evidence.mails is not None:
            yield from _mails(evidence.services["notifier"], evidence.mails)


def _network(held: Held) -> Iterator[Violation]:
    calls = held.tables["simulated_call"]
    called, effects = {str(row["switch_id"]) for row in calls}, Counter(str(row["switch_id"]) for row in calls if row["effect"])
    switches = {str(row["id"]): row for row in held.tables["network_switch"]}
    for switch_id, row in switches.items():
        if row["adapter"] != "network":
            continue
        subject = f"switch {switch_id} ({row['action']} {row['network_login']})"
        wanted = {"DONE": {1}, "UNKNOWN": {0, 1}, "CLAIMED": {0, 1}, "QUEUED": {0, 1}}.get(row["state"], {0})
        by_hand = row["state"] in ("DONE", "REFUSED") and "(" in str(row["detail"] or "")  # a person looked, and may have switched
        if effects[switch_id] not in wanted and not by_hand:
            what = f"a switch that is {row['state']} changed the network {effects[switch_id]} times"
            yield Violation("I1" if effects[switch_id] < min(wanted) or effects[switch_id] > 1 else "I2", what, subject, "simulated_call")
        if called and switch_id in called and row["attempts"] == 0:
            yield Violation("I2", "the network was called for a switch that nobody claimed", subject, "network_switch")
    for switch_id in called - switches.keys():
        yield Violation("I2", "the network was called for a switch that does not exist", f"switch {switch_id}", "simulated_call")
    yield from _left(held, switches)


def _left(held: Held, switches: dict[str, Row]) -> Iterator[Violation]:
    """Each service is on or off, and restricted or not, as the last call that had an effect left it, and at the speed of the plan that it
    was last changed to."""
    changed = [row for row in sorted(held.tables["simulated_call"], key=lambda each: each["id"]) if row["effect"]]
    action = {row["login"]: row["action"] for row in changed if row["action"] in ("suspend", "reconnect")}
    last = {row["login"]: row["action"] for row in changed if row["action"] != "change"}
    plan = {row["login"]: switches[str(row["switch_id"])]["plan"] for row in changed if row["action"] == "change"}
    for row in held.tables["simulated_service"]:
        login = row["login"]
        if row["active"] != (action.get(login, "reconnect") == "reconnect") or (login in plan and row["plan"] != plan[login]):
            yield Violation("I1", "the network is not as its last call left it", f"login {login}", "simulated_service")
        if row["restricted"] != (last.get(login) == "restrict"):
            yield Violation("I1", "a service is not restricted as its last call left it", f"login {login}", "simulated_service")


def _messages(held: Held, evidence: Evidence) -> Iterator[Violation]:
    """One message for each event that a notice of the operator's files is about."""
    made = Counter((str(row["event_id"]), str(row["notice"])) for row in held.tables["message"])
    aside = {str(row["event_id"]) for row in (*held.tables["parked_event"], *held.tables["inbox_pending"])}
    for event_id, notice in evidence.notices:
        if made[event_id, notice] != 1 and event_id not in aside:
            what = f"notice {notice} was made {made[event_id, notice]} times of an event, not once"
            yield Violation("I1", what, f"event {event_id}", "notifier.message")
    for event_id, notice in made.keys() - set(evidence.notices):
        yield Violation("I2", f"notice {notice} was made of nothing that was told", f"event {event_id}", "notifier.message")


def _deliveries(held: Held) -> Iterator[Violation]:
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in held.tables["delivery"]:
        if row["address"]:
            seen[row["message_id"], row["address"]].append(row["id"])
    for (message_id, address), ids in seen.items():
        if len(ids) > 1:
            yield Violation(
                "I1", f"a message goes {len(ids)} times to one address", f"message {message_id} to {address}", "notifier.delivery"
            )


def _mails(held: Held, mails: list[Mail]) -> Iterator[Violation]:
    """A server that took a mail has it; a second copy is possible only where a first try's outcome was not known."""
    copies = Counter(each.message_id for each in mails)
    deliveries = {row["header_id"]: row for row in held.tables["delivery"]}
    for header_id, row in deliveries.items():
        subject = f"delivery {row['id']} to {row['address']} ({header_id})"
        if row["state"] == "ACCEPTED" and not copies[header_id]:
            yield Violation("I1", "a mail that was accepted is not there", subject, "the mail catcher")
        if copies[header_id] > max(1, row["attempts"]):
            yield Violation("I1", f"a mail is there {copies[header_id]} times after {row['attempts']} tries", subject, "the mail catcher")
        if copies[header_id] and row["attempts"] == 0 and row["state"] != "QUEUED":
            yield Violation("I2", "a mail is there that nobody tried to send", subject, "notifier.delivery")
    for header_id in copies.keys() - deliveries.keys():
        yield Violation("I2", "a mail is there that nobody queued", header_id, "notifier.delivery")
