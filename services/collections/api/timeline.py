"""One customer's timeline: in pages, and live as server-sent events."""

from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import AwareDatetime, BaseModel

from services.collections.adapters.streams import Streams, Watcher
from services.collections.api.access import READ
from services.collections.api.views import RuleView, quote
from services.collections.queries.timeline import EARLIEST, LATEST, TIMELINE, Asked, Entry, last_number, timeline
from services.collections.rules.wording import dated, who
from shared.errors import FieldError, Invalid, Unauthorized
from shared.operator import Operator
from shared.web import Actor, Documents, Order, Page, Session, command_router, page, permits, runtime_of, sorted_by
from shared.web.columns import NOT_IN_FILES

router = command_router(tags=["clientes"])
Topic = Literal[
    "account", "status", "invoices", "payments", "contacts", "agreements", "messages", "network", "tickets", "outages"
]  # fmt: skip
Topics = Annotated[list[Topic], Query(max_length=10, description="de qué: se puede repetir; sin él, de todo")]
LastSeen = Annotated[
    str | None,
    Header(alias="Last-Event-ID", pattern=r"^\d{1,18}$", description="el `number` más alto que usted ya tiene; sin él, solo lo que ocurra"),
]
HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 3_000
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Un evento `happening` por cada cosa que ocurre: `id` es su `number`, `data` una entrada de la línea de tiempo",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class TimelineEntry(BaseModel):
    """One thing that happened: when, what, who, and by which rule. `number` grows in the order in which it was heard of."""

    number: int
    at: AwareDatetime
    local: str
    topic: str
    kind: Annotated[str, NOT_IN_FILES]
    text: str
    who: str | None
    who_name: str | None
    rule: RuleView | None
    fact_id: UUID | None


@router.get("/customers/{customer_id}/timeline")
async def get_timeline(
    customer_id: UUID,
    session: Session,
    order: Annotated[Order, sorted_by(TIMELINE)],
    actor: Actor,
    documents: Documents,
    topic: Topics = [],  # noqa: B006 - the framework copies it
    from_day: Annotated[date | None, Query(description="desde este día, en la zona del operador")] = None,
    to_day: Annotated[date | None, Query(description="hasta este día, incluido")] = None,
) -> Page[TimelineEntry]:
    """What happened with the customer across all services, in sentences: invoices, payments, contacts, agreements, mails, tickets and
    their tasks, the network, outages, the status; who did it and by which rule."""
    permits(actor, documents, READ)
    found = await timeline(session, documents, customer_id, _asked(documents, topic, from_day, to_day), order)
    return page(found, order, show=lambda each: _show(each, documents))


@router.get("/customers/{customer_id}/timeline/live", response_class=StreamingResponse, responses=STREAM)
async def follow_timeline(
    customer_id: UUID, request: Request, session: Session, actor: Actor, documents: Documents, last_seen: LastSeen = None
) -> EventSourceResponse:
    """The timeline live: each thing as soon as it is heard of, in the order of `number`. Who comes back with the last `id` misses nothing;
    a comment every 15 seconds says that the line is alive. It ends when the token does."""
    permits(actor, documents, READ)
    last = await last_number(session, customer_id)
    streams: Streams = runtime_of(request).resources["streams"]
    watcher = streams.watch(customer_id, min(int(last_seen), last) if last_seen is not None else last)
    return EventSourceResponse(_stream(request, streams, watcher, documents), headers=HEADERS)


async def _stream(request: Request, streams: Streams, watcher: Watcher, documents: Operator) -> AsyncIterator[bytes]:
    try:
        yield format_sse_event(retry=RETRY_MILLISECONDS)
        async for found in streams.follow(runtime_of(request).database, watcher, HEARTBEAT_SECONDS):
            if not _still_allowed(request, documents):
                return
            for each in found:
                yield format_sse_event(id=str(each.number), event="happening", data_str=_show(each, documents).model_dump_json())
            if not found:
                yield format_sse_event(comment="sigue")
    finally:
        streams.leave(watcher)


def _still_allowed(request: Request, documents: Operator) -> bool:
    """A stream outlives no token: not its end, and not that it was revoked."""
    token = request.headers["authorization"].partition(" ")[2].strip()
    try:
        actor = request.app.state.verifier.principal(token)
    except Unauthorized:
        return False
    return documents.may(actor.desks, READ)


def _asked(documents: Operator, topics: list[Topic], first: date | None, last: date | None) -> Asked:
    if first is not None and last is not None and first > last:
        raise Invalid("Los días están al revés.", errors=[FieldError(field="to_day", message=f"debe ser el {first} o después")])

    def midnight(day: date) -> datetime:
        return datetime.combine(day, time.min, tzinfo=documents.zone)

    before = LATEST if last is None or last.year >= 9999 else midnight(last + timedelta(days=1))
    return Asked(topics, midnight(first) if first and first.year > 1 else EARLIEST, before)


def _show(entry: Entry, documents: Operator) -> TimelineEntry:
    said = entry.said
    return TimelineEntry(
        number=entry.number,
        at=entry.at,
        local=dated(documents, entry.at),
        topic=entry.topic,
        kind=said.kind,
        text=said.text,
        who=said.who,
        who_name=who(documents, said.who) if said.who else None,
        rule=quote(documents, said.rule) if said.rule else None,
        fact_id=said.fact_id,
    )
