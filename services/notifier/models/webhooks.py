"""Webhooks: who subscribed to which events, what is on its way to them, and every try."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from services.notifier.models.base import Table
from services.notifier.rules.webhooks import PostState, WebhookState
from shared.db import new_id, one_of, utc

OPEN = "state IN ('QUEUED', 'SENDING')"


class Webhook(Table, table=True):
    """A subscription. `secret` signs, `previous_secret` beside it until `previous_until` (machine time); both are kept sealed. Nothing has
    succeeded since `failing_since` (business); `misses` counts tries in a row that met nobody, until `rests_until` (business) it is left
    alone. `version` counts its changes, `told` its events."""

    __tablename__ = "webhook"
    __table_args__ = (one_of("state", WebhookState, "ck_webhook_state"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    url: str
    description: str = ""
    types: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    customer_id: UUID | None = None
    state: str = WebhookState.ACTIVE
    reason: str = ""
    secret: str
    previous_secret: str | None = None
    previous_until: datetime | None = utc(nullable=True)
    failing_since: datetime | None = utc(nullable=True)
    misses: int = 0
    rests_until: datetime | None = utc(nullable=True)
    created_by: str
    created_at: datetime = utc()
    version: int = 1
    told: int = 0


class WebhookEvent(Table, table=True):
    """An event that somebody subscribed to, as it is sent: `body` is the CloudEvent. `at` is when it happened (business)."""

    __tablename__ = "webhook_event"
    __table_args__ = (Index("ix_webhook_event_at", "at"),)
    id: UUID = Field(primary_key=True)
    type: str
    at: datetime = utc()
    body: str = Field(sa_column=Column(Text, nullable=False))


class WebhookPost(Table, table=True):
    """An event on its way to one subscription. Those of one `key` (the customer) go one after the other, by `id`. `attempts` counts the
    tries that somebody answered. `next_attempt_at` is business time, `claimed_until` machine time; the last answer stands here, all of them
    in WebhookAttempt."""

    __tablename__ = "webhook_post"
    __table_args__ = (
        one_of("state", PostState, "ck_webhook_post_state"),
        UniqueConstraint("webhook_id", "event_id", name="uq_webhook_post_event"),
        Index("ix_webhook_post_webhook", "webhook_id", "id"),
        Index("ix_webhook_post_due", "webhook_id", "next_attempt_at", "id", postgresql_where=text("state = 'QUEUED'")),
        Index("ix_webhook_post_sending", "webhook_id", "id", postgresql_where=text("state = 'SENDING'")),
        Index("ix_webhook_post_key", "webhook_id", "key", "id", postgresql_where=text(OPEN)),
        Index("ix_webhook_post_event", "event_id"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    webhook_id: UUID = Field(sa_column=Column(ForeignKey("webhook.id", ondelete="CASCADE"), nullable=False))
    event_id: UUID = Field(foreign_key="webhook_event.id")
    key: str
    state: str = PostState.QUEUED
    attempts: int = 0
    next_attempt_at: datetime | None = utc(nullable=True)
    holder: str | None = None
    claimed_until: datetime | None = utc(nullable=True)
    status: int | None = None
    detail: str = ""
    delivered_at: datetime | None = utc(nullable=True)


class WebhookAttempt(Table, table=True):
    """One try: when (business), what was answered (the beginning of it), and how long it took."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (Index("ix_webhook_attempt_post", "post_id", "id"),)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    post_id: int = Field(sa_column=Column(BigInteger, ForeignKey("webhook_post.id", ondelete="CASCADE"), nullable=False))
    at: datetime = utc()
    status: int | None = None
    milliseconds: int
    detail: str
    answer: str
