"""Orders to restrict, to cut and to reconnect: what connects collections' wishes, tickets and the network."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PGUUID
from sqlmodel import Field

from services.ticketing.models.base import Table
from services.ticketing.rules.states import ReconnectionState, RestrictionState, SuspensionState
from shared.db import new_id, one_of, utc


def _ids() -> Any:
    return Field(default_factory=list, sa_column=Column(ARRAY(PGUUID(as_uuid=True)), nullable=False))


class Restriction(Table, table=True):
    """An order to restrict a service before the cut, until that is over. `ticket_id` restricts; it is empty for a customer that was
    restricted before we knew it. `release_ticket_id` takes it off for the order `release_id`; `release_wanted_at`: it no longer stood when
    the network could not be stopped any more. `settled_at` is when its state was last known (business time); `version` counts its
    events."""

    __tablename__ = "restriction"
    __table_args__ = (
        one_of("state", RestrictionState, "ck_restriction_state"),
        Index(
            "uq_restriction_live",
            "customer_id",
            unique=True,
            postgresql_where=text("state IN ('REQUESTED', 'RESTRICTED', 'RELEASING')"),
        ),
        Index("ix_restriction_ticket", "ticket_id"),
        Index("ix_restriction_release_ticket", "release_ticket_id", postgresql_where=text("release_ticket_id IS NOT NULL")),
        Index("ix_restriction_release", "release_id", unique=True, postgresql_where=text("release_id IS NOT NULL")),
    )
    id: UUID = Field(primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    ticket_id: UUID | None = Field(default=None, foreign_key="ticket.id")
    release_id: UUID | None = None
    release_ticket_id: UUID | None = Field(default=None, foreign_key="ticket.id")
    release_procedure: str
    state: str = RestrictionState.REQUESTED
    release_wanted_at: datetime | None = utc(nullable=True)
    requested_at: datetime = utc()
    settled_at: datetime | None = utc(nullable=True)
    version: int = 0


class Suspension(Table, table=True):
    """An order to cut. It falls when `invoice_ids` are covered (`release_on` full) or when any payment goes to one of them.

    `crossed` is true once a payment or a withdrawal met a cut that could not be stopped. `ticket_id` is empty for a customer that was
    suspended before we knew it. `settled_at` is when the cut's outcome was known (business time), `settled_machine_at` the same by the
    machine's clock. `version` counts the events told of the order.
    """

    __tablename__ = "suspension"
    __table_args__ = (
        one_of("state", SuspensionState, "ck_suspension_state"),
        CheckConstraint("release_on IN ('full', 'any')", name="ck_suspension_release_on"),
        Index("ix_suspension_live", "customer_id", postgresql_where=text("state IN ('REQUESTED', 'SUSPENDED')")),
    )
    id: UUID = Field(primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    ticket_id: UUID | None = Field(default=None, foreign_key="ticket.id")
    procedure: str
    delivery: str
    rule: str
    reason: str = Field(sa_column=Column(Text, nullable=False))
    invoice_ids: list[UUID] = _ids()
    release_on: str = "full"
    agent: str
    state: str = SuspensionState.REQUESTED
    crossed: bool = False
    requested_at: datetime = utc()
    withdrawn_at: datetime | None = utc(nullable=True)
    settled_at: datetime | None = utc(nullable=True)
    settled_machine_at: datetime | None = utc(nullable=True)
    version: int = 0


class Reconnection(Table, table=True):
    """An order to reconnect. At most one of a suspension is alive or done; a refused one may be followed by another."""

    __tablename__ = "reconnection"
    __table_args__ = (
        one_of("state", ReconnectionState, "ck_reconnection_state"),
        Index("uq_reconnection_live", "suspension_id", unique=True, postgresql_where=text("state IN ('HELD', 'ORDERED', 'DONE')")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    suspension_id: UUID = Field(foreign_key="suspension.id")
    customer_id: UUID = Field(foreign_key="customer.id")
    ticket_id: UUID | None = Field(default=None, foreign_key="ticket.id")
    procedure: str
    basis: str
    target_status: str
    rule: str
    agent: str
    state: str
    requested_at: datetime = utc()
