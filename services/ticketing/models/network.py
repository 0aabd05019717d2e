"""Switches of the network, and the network that is simulated."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Identity, Index, Text, text
from sqlmodel import Field

from services.ticketing.models.base import Table
from services.ticketing.rules.states import SwitchState
from shared.db import new_id, one_of, utc


class NetworkSwitch(Table, table=True):
    """One service to be switched for one step; `id` is the idempotency key towards the network, whatever how often it is called.

    `adapter` is `network` (the configured one) or `manual` (the confirming ticket is the proof). A `change` gives the service the `plan`.
    `next_attempt_at` is business time: before it nobody calls;
    `claimed_until` machine time: the lease of the worker that calls. `version` counts the events told of the switch.
    """

    __tablename__ = "network_switch"
    __table_args__ = (
        one_of("state", SwitchState, "ck_network_switch_state"),
        CheckConstraint("action IN ('suspend', 'reconnect', 'restrict', 'release', 'change')", name="ck_network_switch_action"),
        CheckConstraint("(action = 'change') = (plan IS NOT NULL)", name="ck_network_switch_plan"),
        Index("ix_network_switch_step", "ticket_id", "step", "number"),
        Index("ix_network_switch_due", "next_attempt_at", "id", postgresql_where=text("state IN ('QUEUED', 'UNKNOWN')")),
        Index("ix_network_switch_claimed", "access_node", postgresql_where=text("state = 'CLAIMED'")),
        Index("ix_network_switch_state", "state", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    ticket_id: UUID = Field(foreign_key="ticket.id")
    step: str
    number: int
    customer_id: UUID = Field(foreign_key="customer.id")
    service_id: UUID
    action: str
    plan: str | None = None
    adapter: str
    network_login: str
    access_node: str = ""
    state: str = SwitchState.QUEUED
    attempts: int = 0
    unknown_answers: int = 0
    told: bool = False
    next_attempt_at: datetime | None = utc(nullable=True)
    claimed_by: str | None = None
    claimed_until: datetime | None = utc(nullable=True)
    detail: str | None = Field(default=None, sa_column=Column(Text))
    queued_at: datetime = utc()
    settled_at: datetime | None = utc(nullable=True)
    version: int = 0


class SilentNode(Table, table=True):
    """An access node whose last call got no answer. Until it answers again one switch asks for all of its node, not before `retry_at`
    (business time); every worker goes by it."""

    __tablename__ = "silent_node"
    name: str = Field(primary_key=True)
    silent_answers: int
    retry_at: datetime = utc()


class SimulatedService(Table, table=True):
    """The simulated network's own truth: is this login on, does it see nothing but the payment page (`restricted`), and at the speed of
    which plan, once that was changed?"""

    __tablename__ = "simulated_service"
    login: str = Field(primary_key=True)
    active: bool
    restricted: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    plan: str | None = None


class SimulatedPlan(Table, table=True):
    """How the simulated network answers the next calls for a login: `answers` in order, the last one for good.

    done, refused, unknown (not done, and it says nothing), unknown_done (done, and it says nothing), slow (done, and it says so).
    What is slow or says nothing takes `slow_ms`. A question what became of a switch is a call too where the network says nothing.
    """

    __tablename__ = "simulated_plan"
    login: str = Field(primary_key=True)
    answers: str
    used: int = 0
    slow_ms: int = 0


class SimulatedCall(Table, table=True):
    """Every call to the simulated network. `effect`: did this one change something? A repeated id never does so twice."""

    __tablename__ = "simulated_call"
    __table_args__ = (
        Index("ix_simulated_call_switch", "switch_id"),
        Index("uq_simulated_call_effect", "switch_id", unique=True, postgresql_where=text("effect")),
    )
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    switch_id: UUID
    login: str
    action: str
    answer: str
    effect: bool
    called_at: datetime = utc()
