"""What keeps the policy run from acting or lets it act: holds, and the days of cuts that were simulated and approved."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.collections.models.base import Table
from services.collections.rules.states import SimulationState, StepKind
from shared.db import currency_column, money_column, new_id, one_of, utc


class Hold(Table, table=True):
    """A customer, or one of its services, is left out of reminders, notices and cuts until `until`, or until somebody ends it before
    (`ended_at`; an expired one is told of and then has it, too)."""

    __tablename__ = "hold"
    __table_args__ = (
        CheckConstraint("until > placed_at", name="ck_hold_until"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ck_hold_ended"),
        Index("ix_hold_account", "account_id"),
        Index("ix_hold_open", "until", "id", postgresql_where=text("ended_at IS NULL")),
        Index("ix_hold_open_account", "account_id", postgresql_where=text("ended_at IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    service_id: UUID | None = None
    reason: str
    owner: str
    placed_by: str
    placed_at: datetime = utc()
    until: datetime = utc()
    ended_at: datetime | None = utc(nullable=True)
    ended_by: str | None = None
    end_reason: str | None = None
    known_at: datetime | None = utc(nullable=True)


class PolicyInForce(Table, table=True):
    """What a policy's file said when a process last started with another text: `text` tells texts apart. `cut` and `recovery` are its days
    of both, `cut_since` and `recovery_since` when the run began to go by other days than before (docs/adr/0035). While its accounts are
    brought forward for a review `reached` is the last one; `again_at` brings them forward once more."""

    __tablename__ = "policy_in_force"
    policy: str = Field(primary_key=True)
    text: str
    since: datetime = utc()
    cut: str
    cut_since: datetime | None = utc(nullable=True)
    recovery: str
    recovery_since: datetime | None = utc(nullable=True)
    reached: UUID | None = None
    again_at: datetime | None = utc(nullable=True)


class CutSimulation(Table, table=True):
    """What the policy run would do on a day if nothing else happened, found out account by account in the background: `reached` is the
    last one looked at. `totals` are made when it is done. An approval lets the run cut what was shown, up to the policies' daily caps."""

    __tablename__ = "cut_simulation"
    __table_args__ = (
        one_of("state", SimulationState, "ck_cut_simulation_state"),
        Index("ix_cut_simulation_asked", "asked_at", "id"),
        Index("ix_cut_simulation_open", "asked_at", postgresql_where=text("state <> 'DONE'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    day: date
    policy: str | None = None
    state: str = SimulationState.QUEUED
    asked_by: str
    asked_at: datetime = utc()
    reached: UUID | None = None
    looked_at: int = 0
    to_look_at: int = 0
    finished_at: datetime | None = utc(nullable=True)
    totals: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    approved_by: str | None = None
    approved_at: datetime | None = utc(nullable=True)


class SimulatedStep(Table, table=True):
    """Something that the run would do to an account at an instant of the simulated day, or, on hold, would do but for `hold_id`.
    `weight` is what is owed, below zero: the larger debt comes first."""

    __tablename__ = "cut_simulation_step"
    __table_args__ = (
        one_of("kind", StepKind, "ck_cut_simulation_step_kind"),
        Index("ix_cut_simulation_step_place", "simulation_id", "kind", "at", "weight", "id"),
        Index("ix_cut_simulation_step_agent", "simulation_id", "agent", "kind", "at", "weight", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    simulation_id: UUID = Field(foreign_key="cut_simulation.id")
    account_id: UUID = Field(foreign_key="account.id")
    kind: str
    at: datetime = utc()
    weight: Decimal = money_column()
    currency: str = currency_column()
    monthly_amount: Decimal = money_column()
    policy: str
    delivery: str
    agent: str | None = None
    rule: str
    reason: str
    reminder: str | None = None
    oldest_due_date: date
    hold_id: UUID | None = Field(default=None, foreign_key="hold.id")


class CutApproval(Table, table=True):
    """A manager approved that this account is cut on this day, from `from_at` until `until`."""

    __tablename__ = "cut_approval"
    __table_args__ = (Index("ix_cut_approval_day", "day", "policy"),)
    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    day: date = Field(primary_key=True)
    policy: str
    simulation_id: UUID = Field(foreign_key="cut_simulation.id")
    from_at: datetime = utc()
    until: datetime = utc()
    approved_by: str
    approved_at: datetime = utc()
