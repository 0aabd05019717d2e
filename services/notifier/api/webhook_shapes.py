"""What webhooks take and show over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from services.notifier.models import Webhook, WebhookAttempt, WebhookEvent, WebhookPost
from services.notifier.rules.addresses import LONGEST
from services.notifier.rules.webhooks import PostState, WebhookState
from shared.web import Input
from shared.web.columns import NOT_IN_FILES
from shared.web.shapes import example

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
    status: Annotated[int | None, NOT_IN_FILES]  # `detail` says it in words
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


def values_of(webhook: Webhook) -> dict[str, Any]:
    """The fields that every answer about a subscription has."""
    return {**webhook.model_dump(include=set(WebhookShown.model_fields)), "previous_secret_until": webhook.previous_until}


def show(webhook: Webhook) -> WebhookShown:
    """A subscription without its secret."""
    return WebhookShown(**values_of(webhook))


def show_post(found: tuple[WebhookPost, WebhookEvent]) -> PostShown:
    """An event on its way."""
    post, event = found
    return PostShown(**post.model_dump(include=set(PostShown.model_fields)), type=event.type, happened_at=event.at)


def show_try(attempt: WebhookAttempt) -> AttemptShown:
    """One try."""
    return AttemptShown(**attempt.model_dump(include=set(AttemptShown.model_fields)))
