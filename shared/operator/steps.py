"""The steps of a procedure: whose they are, what they ask for, when they exist, how long they may take, and what follows."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from shared.operator.base import Code, Document, Text
from shared.operator.conditions import When
from shared.operator.forms import CaptureField, CaptureKind, form_mistake

Action = Literal["network.suspend", "network.reconnect", "network.restrict", "network.release", "network.change", "agreement.tell"]
# What an action must and may be told (`uses`), by name: the kinds of field that can tell it.
AGREED: dict[str, tuple[CaptureKind, ...]] = {"kind": ("choice",), "from": ("date",), "detail": ("text", "comment")}
CHANGED: dict[str, tuple[CaptureKind, ...]] = {"plan": ("plan",), "service": ("service",)}
MUST_USE: Mapping[Action, Mapping[str, tuple[CaptureKind, ...]]] = {"agreement.tell": AGREED, "network.change": {"plan": ("plan",)}}
MAY_USE: Mapping[Action, Mapping[str, tuple[CaptureKind, ...]]] = {
    "agreement.tell": AGREED | CHANGED,
    "network.change": CHANGED | {"from": ("date",)},
}
# What an agreement may be about, as billing understands it.
AGREEMENTS = ("upgrade", "downgrade", "plan_change", "other")
REQUESTER = "requester"


class Expiry(Document):
    """What happens when a step is still open at its deadline: these desks are told, and `outcome` is followed as if the step had been
    finished with it. Without `outcome` the step stays open, and late."""

    tell: list[Code] = []
    outcome: Code | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.tell and self.outcome is None:
            raise ValueError("indique `tell`, `outcome` o ambos")
        return self


class Deadline(Document):
    """How long a step may stay open: round the clock, or counted on the business calendar. `from` counts business days from a date that
    was written down (that day not counted) rather than from the step's opening."""

    from_: Code | None = Field(default=None, alias="from")
    hours: int | None = Field(default=None, ge=1)
    business_hours: int | None = Field(default=None, ge=1)
    business_days: int | None = Field(default=None, ge=1)
    on_expiry: Expiry | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.hours, self.business_hours, self.business_days)) != 1:
            raise ValueError("indique `hours`, `business_hours` o `business_days`, uno de los tres")
        if self.from_ is not None and self.business_days is None:
            raise ValueError("`from` cuenta días hábiles: indique `business_days`")
        return self


class Outcome(Document):
    """What follows from an outcome: steps that open, or the ticket closes with this outcome. Neither: the piece of work just ends.
    `starts` begins other procedures, as tickets of their own that know what this one knows."""

    label: Text
    opens: list[Code] = []
    starts: list[Code] = []
    closes: Code | None = None


class WorkOrder(Document):
    """A task that is done at the customer's: it has an appointment and is printed as a work order under this `name`. With an outcome of
    `appointment_for` it cannot be finished before the appointment is agreed."""

    name: Text
    appointment_for: list[Code] = []


class Step(Document):
    """A piece of work. A task belongs to a desk (or to `requester`, who asked for the ticket); an automatic step is done by an action,
    whose outcomes are done, refused and cancelled. With `joins` it opens only once all these steps are finished or passed over; with
    `when` it is passed over where what is known of the ticket by then is something else: how the services are delivered (`delivery`: own,
    third_party), or a choice or yes/no that was written down.

    Steps with the same `work`, of whatever procedures, are one piece of work, which a customer's tickets do once: while another ticket has
    it open the step waits; finished there it is passed over here, and dropped there (that ticket closed first) it opens here."""

    code: Code
    name: Text
    kind: Literal["task", "automatic"]
    role: Code | None = None
    action: Action | None = None
    uses: dict[str, Code] = {}
    rule: str | None = None
    capture: list[CaptureField] = []
    work_order: WorkOrder | None = None
    deadline: Deadline | None = None
    joins: list[Code] = []
    when: When = {}
    work: Code | None = None
    outcomes: dict[Code, Outcome] = Field(min_length=1)

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if (self.kind == "task") != (self.role is not None):
            raise ValueError("un paso `task` necesita `role`; uno `automatic` no lo tiene")
        if (self.kind == "automatic") != (self.action is not None):
            raise ValueError("un paso `automatic` necesita `action`; uno `task` no la tiene")
        if self.kind == "automatic" and self.work is not None:
            raise ValueError("`work` es de los pasos `task`: lo que hace el sistema no se reparte entre tickets")
        if self.kind == "automatic" and (
            self.work_order is not None or (self.deadline is not None and self.deadline.on_expiry is not None)
        ):
            raise ValueError(
                "un paso `automatic` no es una orden de trabajo, y su plazo no tiene `on_expiry`: termina cuando la red contesta"
            )
        self._names_its_outcomes()
        self._uses_what_the_action_wants()
        if mistake := form_mistake(self.capture, self.outcomes):
            raise ValueError(mistake)
        return self

    def _names_its_outcomes(self) -> None:
        expiry = self.deadline.on_expiry if self.deadline else None
        named = {expiry.outcome} if expiry and expiry.outcome else set()
        named |= set(self.work_order.appointment_for) if self.work_order else set()
        if strange := sorted(named - set(self.outcomes)):
            raise ValueError(f"resultados que el paso no tiene: {', '.join(strange)}")

    def _uses_what_the_action_wants(self) -> None:
        must, may = (MUST_USE.get(self.action, {}), MAY_USE.get(self.action, {})) if self.action else ({}, {})
        if missing := sorted(must.keys() - self.uses.keys()):
            raise ValueError(f"`{self.action}` necesita en `uses`: {', '.join(missing)}")
        if strange := sorted(self.uses.keys() - may.keys()):
            raise ValueError(f"`uses` no lleva: {', '.join(strange)}; esta acción usa: {', '.join(sorted(may)) or 'nada'}")
