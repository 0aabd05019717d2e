"""Webhooks over HTTP: subscriptions, their secrets, what was sent to them, and sending it again."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from services.notifier.models import Webhook, WebhookAttempt, WebhookEvent, WebhookPost
from services.notifier.operations import webhooks as operations
from services.notifier.queries.webhooks import find_posts, find_webhooks, get_post, get_webhook
from services.notifier.rules.addresses import LONGEST, fault_of, networks
from services.notifier.rules.webhooks import PostState, WebhookState
from shared.errors import FieldError, Invalid, nearest
from shared.events import CATALOGUE
from shared.web import Actor, Cursor, Documents, IfMatch, Input, Now, Page, Session, command_router, page, permits, set_etag
from shared.web.commands import runtime_of
from shared.web.paging import expect_version
from shared.web.shapes import example

router = command_router(tags=["webhooks"])
MANAGE = "notifier.webhooks"
SENDERS = sorted({each.partition(".")[0] for each in CATALOGUE} - {"notifier"})
OFFERED = {"*", *(f"{each}.*" for each in SENDERS), *(each for each in CATALOGUE if not each.startswith("notifier."))}
Url = Annotated[str, StringConstraints(min_length=8, max_length=LONGEST)]
EventType = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Types = Annotated[list[EventType], Field(min_length=1, max_length=100)]
Description = Annotated[str, StringConstraints(max_length=200)]

SHOWN: dict[str, Any] = {
    "id": "019d2f6e-7f0b-7c7a-9a35-0a8b0f6f4b51",
    "url": "https://crm.example/reconecta",
    "description": "CRM",
    "types": ["billing.payment_confirmed.v1", "ticketing.*"],
    "customer_id": None,
    "state": "ACTIVE",
    "reason": "",
    "failing_since": None,
    "rests_until": None,
    "previous_secret_until": None,
    "created_by": "admin",
    "created_at": "2026-03-02T14:00:00Z",
    "version": 1,
}
POST: dict[str, Any] = {
    "event_id": "019d2f6e-8a10-7c7a-9a35-0a8b0f6f4b51",
    "type": "billing.payment_confirmed.v1",
    "happened_at": "2026-03-28T14:10:00Z",
    "state": "DELIVERED",
    "attempts": 1,
    "next_attempt_at": None,
    "status": 204,
    "detail": "Recibido.",
    "delivered_at": "2026-03-28T14:10:01Z",
}
TRY: dict[str, Any] = {"at": "2026-03-28T14:10:01Z", "status": 204, "milliseconds": 84, "detail": "Recibido.", "answer": ""}
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105 - the example of a secret


class WebhookInput(Input):
    """A subscription: where events go, and which: types as they stand in the catalogue of events, `billing.*` or `*`. With `customer_id`
    only those of that customer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": SHOWN["url"], "types": SHOWN["types"], "description": SHOWN["description"]}]}
    )
    url: Url
    types: Types
    customer_id: UUID | None = None
    description: Description = ""


class WebhookChange(Input):
    """What changes of a subscription; what is not given stays. ACTIVE sends what was kept for it meanwhile, too."""

    model_config = example(state="PAUSED")
    url: Url | None = None
    types: Types | None = None
    description: Description | None = None
    state: Literal["ACTIVE", "PAUSED"] | None = None


class ReplayRange(Input):
    """Which events are sent again: what happened from `since` until before `until`."""

    model_config = example(since="2026-03-28T00:00:00-06:00", until="2026-03-29T00:00:00-06:00")
    since: AwareDatetime
    until: AwareDatetime


class WebhookShown(BaseModel):
    """A subscription. `reason` says why it is DISABLED; while it `rests_until` nobody answered there."""

    model_config = example(**SHOWN)
    id: UUID
    url: str
    description: str
    types: list[str]
    customer_id: UUID | None
    state: WebhookState
    reason: str
    failing_since: datetime | None
    rests_until: datetime | None
    previous_secret_until: datetime | None
    created_by: str
    created_at: datetime
    version: int


class WebhookWithSecret(WebhookShown):
    """A subscription with the secret that signs what it gets: it is shown this once and never again."""

    model_config = example(**SHOWN, secret=SECRET)
    secret: str


class PostShown(BaseModel):
    """An event on its way to a subscriber, and what was answered last."""

    model_config = example(**POST)
    event_id: UUID
    type: str
    happened_at: datetime
    state: PostState
    attempts: int
    next_attempt_at: datetime | None
    status: int | None
    detail: str
    delivered_at: datetime | None


class AttemptShown(BaseModel):
    """One try: the status that was answered (none: nobody answered), how long it took, and the beginning of the answer."""

    model_config = example(**TRY)
    at: datetime
    status: int | None
    milliseconds: int
    detail: str
    answer: str


class PostDetail(PostShown):
    """An event on its way to a subscriber with every try, and `body` letter by letter as it is sent."""

    model_config = example(**POST, body='{"specversion": "1.0", …}', tries=[TRY])
    body: str
    tries: list[AttemptShown]


class Replayed(BaseModel):
    """How many events are sent again."""

    model_config = example(replayed=12)
    replayed: int


@router.post("/webhooks", status_code=201)
async def subscribe(
    body: WebhookInput, request: Request, session: Session, now: Now, actor: Actor, documents: Documents, response: Response
) -> WebhookWithSecret:
    """Suscribe una dirección a eventos. El secreto con que se firman se muestra solo aquí."""
    permits(actor, documents, MANAGE)
    _check(request, body.url, body.types)
    webhook = await operations.subscribe(
        session, url=body.url, types=body.types, customer_id=body.customer_id, description=body.description, by=actor.person, now=now
    )
    response.headers["Location"] = f"/notifier/webhooks/{webhook.id}"
    set_etag(response, webhook.version)
    return WebhookWithSecret(**_values(webhook), secret=webhook.secret)


@router.get("/webhooks")
async def list_webhooks(
    session: Session, actor: Actor, documents: Documents, cursor: Cursor, state: WebhookState | None = None
) -> Page[WebhookShown]:
    """Las suscripciones, la más reciente primero."""
    permits(actor, documents, MANAGE)
    after = cursor.after(UUID)
    found = await find_webhooks(session, state=state, before=after[0] if after else None, limit=cursor.limit + 1)
    return page(found, cursor, key=lambda each: [each.id], show=_show)


@router.get("/webhooks/{webhook_id}")
async def read_webhook(webhook_id: UUID, session: Session, actor: Actor, documents: Documents, response: Response) -> WebhookShown:
    """Una suscripción, sin su secreto."""
    permits(actor, documents, MANAGE)
    webhook = await get_webhook(session, webhook_id)
    set_etag(response, webhook.version)
    return _show(webhook)


@router.patch("/webhooks/{webhook_id}")
async def change_webhook(
    webhook_id: UUID,
    body: WebhookChange,
    seen: IfMatch,
    request: Request,
    session: Session,
    actor: Actor,
    documents: Documents,
    response: Response,
) -> WebhookShown:
    """Cambia la dirección, los eventos o la descripción; pausa la suscripción o la activa de nuevo."""
    permits(actor, documents, MANAGE)
    _check(request, body.url, body.types or [])
    webhook = await operations.locked_webhook(session, webhook_id)
    expect_version(webhook.version, seen)
    state = WebhookState(body.state) if body.state else None
    await operations.change(session, webhook, url=body.url, types=body.types, description=body.description, state=state)
    set_etag(response, webhook.version)
    return _show(webhook)


@router.delete("/webhooks/{webhook_id}", status_code=204)
async def unsubscribe(webhook_id: UUID, session: Session, actor: Actor, documents: Documents) -> None:
    """Borra la suscripción con todo lo que se le iba a enviar y lo que se le envió."""
    permits(actor, documents, MANAGE)
    await operations.unsubscribe(session, webhook_id)


@router.post("/webhooks/{webhook_id}/secret", status_code=201)
async def renew_secret(webhook_id: UUID, session: Session, actor: Actor, documents: Documents) -> WebhookWithSecret:
    """Da un secreto nuevo, que se muestra solo aquí; durante 24 horas se firma con los dos."""
    permits(actor, documents, MANAGE)
    webhook = await operations.renew_secret(session, webhook_id)
    return WebhookWithSecret(**_values(webhook), secret=webhook.secret)


@router.post("/webhooks/{webhook_id}/test", status_code=202)
async def send_test(webhook_id: UUID, session: Session, now: Now, actor: Actor, documents: Documents) -> PostShown:
    """Envía un evento de prueba, que no trata de nadie."""
    permits(actor, documents, MANAGE)
    post, event = await operations.send_test(session, webhook_id, now)
    return _show_post((post, event))


@router.get("/webhooks/{webhook_id}/deliveries")
async def list_posts(
    webhook_id: UUID,
    session: Session,
    actor: Actor,
    documents: Documents,
    cursor: Cursor,
    state: PostState | None = None,
    type: Annotated[str | None, Query(max_length=100, description="un tipo de evento, como billing.payment_confirmed.v1")] = None,
) -> Page[PostShown]:
    """Lo que se envió o se enviará a una suscripción, lo último primero."""
    permits(actor, documents, MANAGE)
    await get_webhook(session, webhook_id)
    after = cursor.after(int)
    found = await find_posts(session, webhook_id, state=state, event_type=type, before=after[0] if after else None, limit=cursor.limit + 1)
    return page(found, cursor, key=lambda each: [each[0].id], show=_show_post)


@router.get("/webhooks/{webhook_id}/deliveries/{event_id}")
async def read_post(webhook_id: UUID, event_id: UUID, session: Session, actor: Actor, documents: Documents) -> PostDetail:
    """Un evento en camino: qué se envió, y qué se contestó en cada intento."""
    permits(actor, documents, MANAGE)
    post, event, tries = await get_post(session, webhook_id, event_id)
    return PostDetail(**_show_post((post, event)).model_dump(), body=event.body, tries=[_show_try(each) for each in tries])


@router.post("/webhooks/{webhook_id}/deliveries/{event_id}/replay", status_code=202)
async def replay_one(webhook_id: UUID, event_id: UUID, session: Session, now: Now, actor: Actor, documents: Documents) -> Replayed:
    """Envía un evento otra vez, con el mismo `webhook-id`."""
    permits(actor, documents, MANAGE)
    await operations.replay_one(session, webhook_id, event_id, now)
    return Replayed(replayed=1)


@router.post("/webhooks/{webhook_id}/replay", status_code=202)
async def replay_range(webhook_id: UUID, body: ReplayRange, session: Session, now: Now, actor: Actor, documents: Documents) -> Replayed:
    """Envía otra vez, en su orden, los eventos de un lapso que ya se entregaron o se dieron por perdidos."""
    permits(actor, documents, MANAGE)
    if body.until <= body.since:
        raise Invalid("El lapso termina antes de empezar.", errors=[FieldError(field="until", message="debe ser después de since")])
    return Replayed(replayed=await operations.replay_range(session, webhook_id, since=body.since, until=body.until, now=now))


def _check(request: Request, url: str | None, types: list[str]) -> None:
    """Raises Invalid for an address that we would never call, and for types that nobody sends."""
    configured = networks(runtime_of(request).settings.webhook_networks)
    errors = [
        FieldError(field=f"types.{at}", message=f"no existe el evento «{each}»{nearest(each, OFFERED)}")
        for at, each in enumerate(types)
        if each not in OFFERED
    ]
    if url is not None and (fault := fault_of(url, configured)):
        errors.append(FieldError(field="url", message=fault))
    if errors:
        raise Invalid("La suscripción no es posible.", errors=errors)


def _values(webhook: Webhook) -> dict[str, Any]:
    return {**webhook.model_dump(include=set(WebhookShown.model_fields)), "previous_secret_until": webhook.previous_until}


def _show(webhook: Webhook) -> WebhookShown:
    return WebhookShown(**_values(webhook))


def _show_post(found: tuple[WebhookPost, WebhookEvent]) -> PostShown:
    post, event = found
    return PostShown(**post.model_dump(include=set(PostShown.model_fields)), type=event.type, happened_at=event.at)


def _show_try(attempt: WebhookAttempt) -> AttemptShown:
    return AttemptShown(**attempt.model_dump(include=set(AttemptShown.model_fields)))
