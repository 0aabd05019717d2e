"""Messages and their deliveries."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.notifier.models.base import Table
from services.notifier.rules.states import DeliveryState, MessageState
from shared.db import new_id, one_of, utc


class Message(Table, table=True):
    """What a notice made of an event: one per event and notice, whatever arrives twice. `reference` is what the event is about (its notice,
    ticket, invoice …); `version` counts the message's events."""

    __tablename__ = "message"
    __table_args__ = (
        one_of("state", MessageState, "ck_message_state"),
        UniqueConstraint("event_id", "notice", name="uq_message_event"),
        Index("ix_message_customer", "customer_id", "id"),
        Index("ix_message_notice", "notice", "id"),
        Index("ix_message_state", "state", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    notice: str
    event_id: UUID
    event_type: str
    customer_id: UUID | None = None
    reference: str
    state: str = MessageState.QUEUED
    subject: str
    text: str = Field(sa_column=Column(Text, nullable=False))
    html: str = Field(sa_column=Column(Text, nullable=False))
    rules: list[str] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    recipients: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    reply_to: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    attached_invoice_id: UUID | None = None
    created_at: datetime = utc()
    accepted_at: datetime | None = utc(nullable=True)
    version: int = 0


class Delivery(Table, table=True):
    """A message on its way to one address (none: nobody has told one yet). `next_attempt_at` is business time; `claimed_until` is machine
    time: a worker that was killed loses the row then. One that `rides_with` another goes out in that one's mail and shares its fate.
    `held` says why a policy makes it wait (Spanish); `day` is the receiver's day that it counts for (none: it counts for no day).
    `dated_at` is the date on the mail where it had to wait (none: the message's), for all its tries."""

    __tablename__ = "delivery"
    __table_args__ = (
        one_of("state", DeliveryState, "ck_delivery_state"),
        Index("ix_delivery_message", "message_id"),
        Index("ix_delivery_due", "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
        Index("ix_delivery_rides", "rides_with", postgresql_where=text("rides_with IS NOT NULL")),
        Index("ix_delivery_claimed", "claimed_until", postgresql_where=text("state = 'SENDING'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    message_id: UUID = Field(foreign_key="message.id")
    name: str
    address: str | None = None
    header_id: str
    rides_with: UUID | None = Field(default=None, foreign_key="delivery.id")
    held: str = Field(default="", sa_column_kwargs={"server_default": ""})
    day: date | None = None
    dated_at: datetime | None = utc(nullable=True)
    state: str = DeliveryState.QUEUED
    attempts: int = 0
    next_attempt_at: datetime | None = utc(nullable=True)
    holder: str | None = None
    claimed_until: datetime | None = utc(nullable=True)
    smtp_code: int | None = None
    detail: str = ""
    attempted_at: datetime | None = utc(nullable=True)
    accepted_at: datetime | None = utc(nullable=True)
