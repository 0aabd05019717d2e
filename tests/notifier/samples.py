"""Events for notifier's tests: the golden samples, and the same ones changed so that each notice applies."""

import json
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from pathlib import Path
from typing import Any

from services.notifier.operations.messages import announce
from shared.db import new_id
from shared.events import CATALOGUE, Event
from shared.operator import Notice
from shared.operator.conditions import Unless, values_of
from tests.support.service import Served, operator

GOLDEN = Path("tests/contracts/golden")


def golden(wire_type: str, **changes: Any) -> Any:
    """The golden sample of an event type, with some fields changed."""
    data = json.loads((GOLDEN / f"{wire_type}.json").read_text())["data"]
    return CATALOGUE[wire_type].model_validate({**data, **changes})


def occasion(notice: Notice, **changes: Any) -> Event:
    """An event that this notice follows from: the golden one of its type, with what the notice wants of it."""
    when = {name: values_of(each)[0] or None for name, each in notice.when.items() if not isinstance(each, Unless)}
    if notice.on == "ticketing.ticket_closed.v1":
        when |= {"kind": operator().procedures[str(when["procedure"])].kind, "requested_by": "ana.martinez"}
    event: Event = golden(notice.on, **{**when, **changes})
    return event


def background(policy: str = "vip") -> list[Event]:
    """What must be known before anything can be said: the customer, its policy and agent, its invoice."""
    return [
        golden("billing.customer_registered.v1"),
        golden("collections.segment_changed.v1", policy=policy),
        golden("collections.agent_assigned.v1", agent="ana.martinez"),
        golden("billing.invoice_issued.v1"),
    ]


async def tell(served: Served, event: Event) -> None:
    """Let an event become messages; notifier's own never arrive anywhere, and are announced where they are made."""
    if not event.TYPE.startswith("notifier."):
        return await served.deliver(event)
    async with served.runtime.database.transaction() as session:
        await announce(session, operator=served.runtime.operator, events=[(new_id(), event)], now=await served.now())
    return None


def read_mails(folder: Path) -> list[EmailMessage]:
    """The mails of a Maildir, in the order of their names."""
    parser = BytesParser(_class=EmailMessage, policy=SMTP)
    return [parser.parsebytes(path.read_bytes()) for path in sorted((folder / "new").glob("*"))]
