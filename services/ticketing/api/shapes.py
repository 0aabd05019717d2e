"""What ticketing's API shows: tickets, steps, switches."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel

from services.ticketing.api.about import CustomerOfTicket, show_customer
from services.ticketing.models import TicketStep
from services.ticketing.operations.tickets import facts_of, procedure_of
from services.ticketing.queries.tickets import TicketView
from services.ticketing.rules.appointments import order_number
from services.ticketing.rules.facts import written
from services.ticketing.rules.states import StepState, SwitchState
from services.ticketing.rules.switching import SwitchAction
from shared.operator import CaptureField, Operator, Procedure
from shared.web.columns import NOT_IN_FILES
from shared.web.shapes import example

TICKET_ID = "019d2f6e-3f0b-7c7a-9a35-0a8b0f6f4b52"
CUSTOMER_ID = "019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50"


class OutcomeShown(BaseModel):
    """A way to finish a step."""

    code: str
    label: str


class FilledShown(BaseModel):
    """What the system looked up for a field when the step opened: left as it is, it is confirmed; written anew, corrected."""

    value: Any
    looked_up_at: datetime


class CapturedShown(BaseModel):
    """Something written down or known, as it is kept and as people read it."""

    name: str
    label: str
    kind: str
    value: Any
    text: str


class StartedShown(BaseModel):
    """A ticket that an outcome of this one started."""

    id: UUID
    number: int
    kind: str
    outcome: str | None
    closed_at: datetime | None


class AppointmentShown(BaseModel):
    """When somebody goes to the customer's: a day and its hours on the operator's clock; `by` agreed it `at` that instant."""

    day: date
    opens: time
    closes: time
    technician: str
    by: str
    at: datetime


class StepShown(BaseModel):
    """A turn of a step. Of an open one `capture` and `outcomes` say what finishing it takes; `desk` or `person` who may. `work_order` is
    the number of the paper, where the step is done at the customer's."""

    code: str
    name: str
    turn: int
    state: StepState
    automatic: bool
    desk: str | None = None
    person: str | None = None
    rule: str | None = None
    opened_at: datetime | None = None
    deadline: datetime | None = None
    late: bool = False
    finished_at: datetime | None = None
    finished_by: str | None = None
    outcome: str | None = None
    outcome_label: str | None = None
    work_order: str | None = None
    appointment: AppointmentShown | None = None
    filled: dict[str, FilledShown] = {}
    captured: dict[str, Any] = {}
    written: list[CapturedShown] = []
    comment: str | None = None
    capture: list[CaptureField] = []
    outcomes: list[OutcomeShown] = []


class SwitchShown(BaseModel):
    """One service switched for a ticket. UNKNOWN: nobody knows yet whether the network did it; it is tried again at `next_attempt_at`."""

    model_config = example(
        id="019d2f6e-4f0b-7c7a-9a35-0a8b0f6f4b53",
        ticket_id=TICKET_ID,
        customer_id=CUSTOMER_ID,
        service_id="019d2f6e-5f0b-7c7a-9a35-0a8b0f6f4b54",
        step="suspender",
        action="suspend",
        adapter="network",
        network_login="hotel-copan-01",
        access_node="SPS-OLT-1",
        state="UNKNOWN",
        attempts=5,
        next_attempt_at="2026-03-28T19:15:00Z",
        detail="El equipo de acceso no contestó a tiempo.",
        queued_at="2026-03-28T15:00:00Z",
        settled_at=None,
    )
    id: UUID
    ticket_id: UUID
    customer_id: UUID
    service_id: UUID
    step: str
    action: SwitchAction
    plan: str | None = None
    adapter: str
    network_login: str
    access_node: str
    state: SwitchState
    attempts: int
    next_attempt_at: datetime | None
    detail: str | None
    queued_at: datetime
    settled_at: datetime | None


class TicketShown(BaseModel):
    """A ticket with its customer, what was known from its beginning, the turns of its steps, the switches that it made and the tickets that
    it started; a line of a list is without these."""

    model_config = example(
        id=TICKET_ID,
        number=118,
        customer_id=CUSTOMER_ID,
        customer_name="Hotel Copán, S.A.",
        external_id="C-0042",
        request_id="019d2f6e-6f0b-7c7a-9a35-0a8b0f6f4b55",
        kind="SUSPENDIDO CLIENTE VIP",
        procedure="suspendido_cliente_vip",
        procedure_version=1,
        desk="ingenieria",
        requested_by="ana.martinez",
        agent="ana.martinez",
        state="open",
        opened_at="2026-03-28T15:00:00Z",
        closed_at=None,
        outcome=None,
        outcome_label=None,
        comment=None,
        version=1,
        parent_id=None,
        facts=[{"name": "delivery", "label": "Entrega", "kind": "choice", "value": ["third_party"], "text": "por terceros"}],
        customer=None,
        steps=[],
        switches=[],
        started=[],
    )
    id: UUID
    number: int
    customer_id: UUID
    customer_name: str
    external_id: str
    request_id: UUID | None
    kind: str
    procedure: str
    procedure_version: int
    desk: str
    requested_by: str
    agent: str | None
    state: str
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    outcome_label: str | None
    comment: str | None
    version: int
    parent_id: UUID | None = None
    facts: Annotated[list[CapturedShown], NOT_IN_FILES] = []
    customer: Annotated[CustomerOfTicket | None, NOT_IN_FILES] = None
    steps: Annotated[list[StepShown], NOT_IN_FILES] = []
    switches: Annotated[list[SwitchShown], NOT_IN_FILES] = []
    started: Annotated[list[StartedShown], NOT_IN_FILES] = []


def show_switch(switch: Any) -> SwitchShown:
    return SwitchShown.model_validate(switch, from_attributes=True)


def show_row(row: Any) -> TicketShown:
    """A line of the list: without steps and switches."""
    values: Mapping[str, Any] = dict(row)
    return _ticket(values, str(values["customer_name"]), str(values["external_id"]))


def show_ticket(view: TicketView, operator: Operator, day: date) -> TicketShown:
    """All of a ticket, as it is on an operator's day."""
    procedure = procedure_of(view.ticket)
    shown = _ticket(view.ticket.model_dump(), view.customer.name, view.customer.external_id)
    shown.facts = [CapturedShown(**each.model_dump(exclude={"told"})) for each in facts_of(view.ticket)]
    shown.customer = show_customer(view.customer, view.owed, view.network, operator, day)
    shown.steps = [show_step(procedure, turn, operator, view.ticket.number) for turn in view.turns]
    shown.switches = [show_switch(each) for each in view.switches]
    shown.started = [StartedShown.model_validate(dict(each)) for each in view.started]
    return shown


def show_step(procedure: Procedure, turn: TicketStep, operator: Operator, ticket_number: int | None) -> StepShown:
    step = procedure.step(turn.code)
    is_open = turn.state == StepState.OPEN and turn.task
    return StepShown(
        **turn.model_dump(include=set(StepShown.model_fields)),
        name=step.name,
        turn=turn.number,
        automatic=not turn.task,
        rule=step.rule,
        work_order=order_number(ticket_number, turn.place) if step.work_order else None,
        written=[CapturedShown(**each.model_dump(exclude={"told"})) for each in written(operator, step.capture, turn.captured)],
        outcome_label=step.outcomes[turn.outcome].label if turn.outcome else None,
        capture=step.capture if is_open else [],
        outcomes=[OutcomeShown(code=code, label=each.label) for code, each in step.outcomes.items()] if is_open else [],
    )


def _ticket(values: Mapping[str, Any], name: str, external_id: str) -> TicketShown:
    outcome = values["outcome"]
    kept = {
        key: values[key]
        for key in TicketShown.model_fields
        if key in values and key not in ("version", "steps", "switches", "facts", "customer")
    }
    return TicketShown.model_validate(
        kept
        | {
            "customer_name": name,
            "external_id": external_id,
            "state": "open" if values["closed_at"] is None else "closed",
            "outcome_label": values["document"]["outcomes"].get(outcome) if outcome else None,
            "version": values["revision"],
        }
    )
