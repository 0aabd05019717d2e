"""Webhooks over HTTP: subscriptions, their secrets, what was sent to them, and sending it again."""

import secrets
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from services.notifier.api.webhook_shapes import (
    PostDetail,
    PostShown,
    Replayed,
    ReplayRange,
    WebhookChange,
    WebhookInput,
    WebhookShown,
    WebhookWithSecret,
    show,
    show_post,
    show_try,
    values_of,
)
from services.notifier.operations import webhooks as operations
from services.notifier.queries.webhooks import POSTS, WEBHOOKS, find_posts, find_webhooks, get_post, get_webhook
from services.notifier.rules.addresses import fault_of, networks
from services.notifier.rules.webhooks import PostState, WebhookState, secret_of
from shared.errors import FieldError, Invalid, expect_version, nearest
from shared.events import CATALOGUE
from shared.sealing import Seal
from shared.web import Actor, Documents, IfMatch, Now, Order, Page, Session, command_router, page, permits, runtime_of, set_etag, sorted_by
from shared.web.confidential import confidential

router = command_router(tags=["webhooks"])
MANAGE = "notifier.webhooks"
SENDERS = sorted({each.partition(".")[0] for each in CATALOGUE} - {"notifier"})
OFFERED = {"*", *(f"{each}.*" for each in SENDERS), *(each for each in CATALOGUE if not each.startswith("notifier."))}
SECRET_BYTES = 32


@router.post("/webhooks", status_code=201)
@confidential
async def subscribe(
    body: WebhookInput, request: Request, session: Session, now: Now, actor: Actor, documents: Documents, response: Response
) -> WebhookWithSecret:
    """Suscribe una dirección a eventos. El secreto con que se firman se muestra solo aquí."""
    permits(actor, documents, MANAGE)
    _check(request, body.url, body.types)
    secret, sealed = _new_secret(request)
    webhook = await operations.subscribe(
        session,
        url=body.url,
        secret=sealed,
        types=body.types,
        customer_id=body.customer_id,
        description=body.description,
        by=actor.person,
        now=now,
    )
    response.headers["Location"] = f"/notifier/webhooks/{webhook.id}"
    set_etag(response, webhook.version)
    return WebhookWithSecret(**values_of(webhook), secret=secret)


@router.get("/webhooks")
async def list_webhooks(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(WEBHOOKS)],
    state: WebhookState | None = None,
) -> Page[WebhookShown]:
    """Las suscripciones, la más reciente primero."""
    permits(actor, documents, MANAGE)
    return page(await find_webhooks(session, order, state=state), order, show=show)


@router.get("/webhooks/{webhook_id}")
async def read_webhook(webhook_id: UUID, session: Session, actor: Actor, documents: Documents, response: Response) -> WebhookShown:
    """Una suscripción, sin su secreto."""
    permits(actor, documents, MANAGE)
    webhook = await get_webhook(session, webhook_id)
    set_etag(response, webhook.version)
    return show(webhook)


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
    return show(webhook)


@router.delete("/webhooks/{webhook_id}", status_code=204)
async def unsubscribe(webhook_id: UUID, session: Session, actor: Actor, documents: Documents) -> None:
    """Borra la suscripción con todo lo que se le iba a enviar y lo que se le envió."""
    permits(actor, documents, MANAGE)
    await operations.unsubscribe(session, webhook_id)


@router.post("/webhooks/{webhook_id}/secret", status_code=201)
@confidential
async def renew_secret(webhook_id: UUID, request: Request, session: Session, actor: Actor, documents: Documents) -> WebhookWithSecret:
    """Da un secreto nuevo, que se muestra solo aquí; durante 24 horas se firma con los dos."""
    permits(actor, documents, MANAGE)
    secret, sealed = _new_secret(request)
    webhook = await operations.renew_secret(session, webhook_id, sealed)
    return WebhookWithSecret(**values_of(webhook), secret=secret)


@router.post("/webhooks/{webhook_id}/test", status_code=202)
async def send_test(webhook_id: UUID, session: Session, now: Now, actor: Actor, documents: Documents) -> PostShown:
    """Envía un evento de prueba, que no trata de nadie."""
    permits(actor, documents, MANAGE)
    post, event = await operations.send_test(session, webhook_id, now)
    return show_post((post, event))


@router.get("/webhooks/{webhook_id}/deliveries")
async def list_posts(
    webhook_id: UUID,
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(POSTS)],
    state: PostState | None = None,
    type: Annotated[str | None, Query(max_length=100, description="un tipo de evento, como billing.payment_confirmed.v1")] = None,
) -> Page[PostShown]:
    """Lo que se envió o se enviará a una suscripción, lo último primero."""
    permits(actor, documents, MANAGE)
    await get_webhook(session, webhook_id)
    return page(await find_posts(session, webhook_id, order, state=state, event_type=type), order, show=show_post)


@router.get("/webhooks/{webhook_id}/deliveries/{event_id}")
async def read_post(webhook_id: UUID, event_id: UUID, session: Session, actor: Actor, documents: Documents) -> PostDetail:
    """Un evento en camino: qué se envió, y qué se contestó en cada intento."""
    permits(actor, documents, MANAGE)
    post, event, tries = await get_post(session, webhook_id, event_id)
    return PostDetail(**show_post((post, event)).model_dump(), body=event.body, tries=[show_try(each) for each in tries])


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


def _new_secret(request: Request) -> tuple[str, str]:
    """As it is shown, and as it is kept. Raises Unavailable without a key."""
    seal: Seal = runtime_of(request).resources["seal"]
    secret = secret_of(secrets.token_bytes(SECRET_BYTES))
    return secret, seal.close(secret)


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
