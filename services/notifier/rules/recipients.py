"""Who receives a notice, and what a message refers to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.events import Event
from shared.operator import Notice, Operator

# The first of these that an event has is what others know the message by.
REFERENCES = (
    "notice_id",
    "ticket_id",
    "invoice_id",
    "payment_id",
    "plan_id",
    "promise_id",
    "contact_id",
    "suspension_id",
    "outage_id",
    "run_id",
    "webhook_id",
)


@dataclass(frozen=True)
class Recipient:
    """A name and an address."""

    name: str
    address: str


def reference_of(event: Event) -> str | None:
    """What the event is about, so that its sender knows the message again; None when it names nothing."""
    return next((str(found) for name in REFERENCES if (found := getattr(event, name, None)) is not None), None)


def recipients(notice: Notice, operator: Operator, contacts: Sequence[Mapping[str, Any]], desks: Sequence[str]) -> list[Recipient]:
    """These desks of the notice, or the customer's contacts of its roles that have an address (all contacts when none has such a role).
    Nobody gets it twice."""
    if not notice.to.customer:
        known = {desk.code: desk for desk in operator.desks}  # a ticket may name a desk that there is no more
        found = [Recipient(known[code].name, known[code].email) for code in desks if code in known]
    else:
        wanted = [each for each in contacts if not notice.to.roles or each.get("role") in notice.to.roles]
        reachable = [each for each in wanted if each.get("email")] or [each for each in contacts if each.get("email")]
        found = [Recipient(str(each["name"]), str(each["email"]).strip()) for each in reachable]
    return list({each.address.lower(): each for each in reversed(found)}.values())[::-1]
