"""The NOC's tables."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from shared.db import new_id, one_of, utc


class Table(SQLModel, registry=registry()):
    """Base of the service's own tables."""


class OutageState(StrEnum):
    """Is the node still down?"""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


class AccessNode(Table, table=True):
    """A place in the network that customers hang on. Known since the first customer was sold a service there, and kept ever after."""

    __tablename__ = "access_node"
    code: str = Field(primary_key=True)
    known_since: datetime = utc()


class Connection(Table, table=True):
    """A customer's service as it hangs on a node; both dates count. A projection of billing's customers."""

    __tablename__ = "connection"
    __table_args__ = (Index("ix_connection_node", "access_node", "customer_id"), Index("ix_connection_customer", "customer_id"))
    service_id: UUID = Field(primary_key=True)
    customer_id: UUID
    access_node: str
    active_from: date
    active_to: date | None = None


class Outage(Table, table=True):
    """A node that is down, from its declaration to its closing. `customers` is how many were behind it when it was declared.

    At most one is open per node: whoever finds the node down, it is the same outage.
    """

    __tablename__ = "outage"
    __table_args__ = (
        one_of("state", OutageState, "ck_outage_state"),
        CheckConstraint("(state = 'CLOSED') = (closed_at IS NOT NULL)", name="ck_outage_closed"),
        Index("uq_outage_open", "access_node", unique=True, postgresql_where=text("state = 'OPEN'")),
        Index("ix_outage_declared", "declared_at", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    access_node: str = Field(foreign_key="access_node.code")
    description: str
    state: str = OutageState.OPEN
    customers: int
    declared_by: str
    declared_at: datetime = utc()
    solution: str | None = None
    closed_by: str | None = None
    closed_at: datetime | None = utc(nullable=True)
    version: int = 1
