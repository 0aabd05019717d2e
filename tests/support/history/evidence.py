"""What there is afterwards: five databases, what the witness saw in them, the mails in the catcher, and the topics where there are any."""

import email.policy
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from email.parser import BytesHeaderParser
from functools import cached_property
from pathlib import Path
from typing import Any

import asyncpg

from services import wiring
from services.wiring import service_of
from shared.db import Database
from shared.events import CATALOGUE, Envelope
from shared.invariants import NOTHING, ask
from shared.operator import Operator
from shared.settings import SERVICES
from tests.support.history.witness import AGGREGATES

Row = dict[str, Any]
FILE = "evidence.json"
HEADERS = BytesHeaderParser(policy=email.policy.default)
EVERYWHERE = ("outbox", "outbox_held", "inbox", "inbox_pending", "parked_event", "timer", "idempotency_key", "audit_entry")
TABLES = {
    "billing": ("payment_allocation", "import_batch", "billing_chunk"),
    "collections": ("invoice", "payment", "payment_part", "suspension", "suspension_notice", "outage", "promise"),
    "ticketing": ("customer", "portfolio", "invoice", "payment", "allocation", "reconnection", "simulated_call", "simulated_service"),
    "notifier": ("customer", "assignment", "invoice", "delivery"),
    "noc": ("connection",),
}
# Long texts that no check looks at.
NEEDLESS = ("document", "html", "text", "contacts", "services", "traceparent")


@dataclass(frozen=True)
class Told:
    """An event as its sender committed it."""

    id: str
    type: str
    source: str
    subject: str
    sequence: int
    key: str
    data: Row
    xid: int | None = None


@dataclass(frozen=True)
class Seen:
    """A row as a transaction left it (or took it away), in the order in which it was so. `op` is INSERT, UPDATE, DELETE, or what a handler
    wrote down: HANDLED, FIRED."""

    at: int
    xid: int
    what: str
    op: str
    row: Row


@dataclass(frozen=True)
class Mail:
    """A mail in the catcher."""

    message_id: str
    to: str
    subject: str


@dataclass
class Held:
    """What one service's database holds. `broken`: sentences about it that are not so. `listens`: the types that it subscribes to."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    listens: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    witnessed: bool = False

    def changes(self, what: str, *ops: str) -> list[Seen]:
        """What the witness saw of a table."""
        return [each for each in self.seen if each.what == what and each.op in ops]

    @cached_property
    def handled(self) -> list[tuple[str, int]]:
        """The events that handlers had in hand, in their order, each with its transaction; empty where nobody watched."""
        return [(str(each.row["event_id"]), each.xid) for each in self.changes("event", "HANDLED")]


@dataclass
class Evidence:
    """Everything that the judge looks at. `now` is business time. `mails` is None where there is no catcher. `notices`: the event and the
    notice of every message that the operator's files want. `injected`: ids of events that the load itself put before a receiver."""

    now: str
    services: dict[str, Held] = field(default_factory=dict)
    topics: list[Told] | None = None
    mails: list[Mail] | None = None
    notices: list[tuple[str, str]] = field(default_factory=list)
    injected: list[str] = field(default_factory=list)

    @cached_property
    def told(self) -> dict[str, list[Told]]:
        """Every event, by sender, in the order of the outbox; without a witness, of the topics (copies left out)."""
        found: dict[str, list[Told]] = defaultdict(list)
        if all(each.witnessed for each in self.services.values()):
            for service, held in self.services.items():
                outbox = sorted(held.changes("outbox", "INSERT"), key=lambda each: each.row["id"])
                found[service] = [_told(each.row, service, each.xid) for each in outbox]
        elif self.topics is not None:
            known: set[str] = set()
            for told in self.topics:
                if told.id not in known:
                    found[told.source].append(told)
                known.add(told.id)
        else:
            raise ValueError("nobody wrote down the events: neither a witness in every database nor topics")
        return found

    def save(self, folder: Path) -> None:
        """Keep it as one JSON file."""
        folder.mkdir(parents=True, exist_ok=True)
        given = {
            "now": self.now,
            "notices": self.notices,
            "injected": self.injected,
            "mails": None if self.mails is None else [vars(each) for each in self.mails],
            "topics": None if self.topics is None else [vars(each) for each in self.topics],
            "services": {
                name: {**{part: getattr(held, part) for part in PARTS}, "seen": [vars(each) for each in held.seen]}
                for name, held in self.services.items()
            },
        }
        (folder / FILE).write_text(json.dumps(given, ensure_ascii=False, default=str))

    @classmethod
    def load(cls, folder: Path) -> "Evidence":
        given = json.loads((folder / FILE).read_text(), parse_float=Decimal)
        services = {name: Held(**{**held, "seen": [Seen(**each) for each in held["seen"]]}) for name, held in given["services"].items()}
        mails = None if given["mails"] is None else [Mail(**each) for each in given["mails"]]
        topics = None if given["topics"] is None else [Told(**each) for each in given["topics"]]
        notices = [(event, notice) for event, notice in given["notices"]]
        return cls(given["now"], services, topics, mails, notices, given["injected"])


PARTS = ("tables", "listens", "broken", "witnessed")


async def gather(
    databases: Mapping[str, str],
    *,
    operator: Operator,
    now: datetime,
    maildir: Path | None = None,
    mails: Sequence[Mail] | None = None,
    topics: Sequence[Envelope] | None = None,
    listens: Mapping[str, Sequence[str]] | None = None,
    injected: Sequence[str] = (),
) -> Evidence:
    """Look everywhere, after everything has settled. `now` is business time (aware). Mails are those of a Maildir or of a catcher that the
    caller has; `topics` what was read from Kafka; `listens` says who subscribes to what where it is not the five services; `injected`
    names events (ids) that the load itself put into a topic or an inbox, poison say."""
    wanted = listens or {each.name: sorted(each.events.types) for each in wiring.SERVICES}
    evidence = Evidence(now.isoformat(), topics=None if topics is None else [of_envelope(each) for each in topics])
    evidence.injected = list(injected)
    evidence.mails = list(mails) if mails is not None else None if maildir is None else read_maildir(maildir)
    for service, address in databases.items():
        held = await _look(service, address)
        held.listens = sorted(wanted.get(service, ()))
        held.broken = await _broken(service, address, operator, now)
        evidence.services[service] = held
    evidence.notices = [wanted for told in evidence.told.values() for each in told for wanted in _notices(each, operator)]
    return evidence


async def _look(service: str, address: str) -> Held:
    connection = await asyncpg.connect(address.replace("+asyncpg", ""), timeout=10)
    try:
        held = Held(witnessed=await connection.fetchval("SELECT to_regclass('witness.seen') IS NOT NULL"))
        for table in (*EVERYWHERE, *AGGREGATES.get(service, {}).values(), *TABLES.get(service, ())):
            found = await connection.fetch(f"SELECT to_jsonb(t) - $1::text[] AS row FROM {table} AS t", list(NEEDLESS))
            held.tables[table] = [_json(each["row"]) for each in found]
        if held.witnessed:
            found = await connection.fetch("SELECT at, xid, what, op, data FROM witness.seen ORDER BY at")
            held.seen = [Seen(each["at"], each["xid"], each["what"], each["op"], _json(each["data"])) for each in found]
        return held
    finally:
        await connection.close(timeout=5)


async def _broken(service: str, address: str, operator: Operator, now: datetime) -> list[str]:
    """What the service's own sentences say."""
    database = Database(address, service=service, pool_size=1)
    try:
        async with database.transaction() as session:
            known = service_of(service).sentences if service in SERVICES else NOTHING
            found = await ask(known, lambda: nullcontext((session, now)), operator)
            return [str(each) for each in found if each.count]
    finally:
        await database.close()


def _notices(told: Told, operator: Operator) -> list[tuple[str, str]]:
    known = CATALOGUE.get(told.type)
    found = operator.notices_for(told.type) if known is not None else []
    return [(told.id, each.code) for each in found if known is not None and each.applies_to(known.model_validate(told.data))]


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _told(row: Row, source: str, xid: int) -> Told:
    return Told(row["event_id"], row["type"], source, row["subject"], row["sequence"], row["key"], _json(row["data"]), xid)


def of_envelope(each: Envelope) -> Told:
    """An event as it stands in a topic."""
    return Told(str(each.id), each.type, each.source, each.subject, each.sequence, each.key, _json(each.data))


def read_maildir(folder: Path) -> list[Mail]:
    """The mails of a Maildir."""
    found = []
    for path in (*sorted(folder.glob("new/*")), *sorted(folder.glob("cur/*"))):
        mail = HEADERS.parsebytes(path.read_bytes())
        found.append(Mail(str(mail["Message-ID"]), str(mail["To"]), str(mail["Subject"])))
    return found
