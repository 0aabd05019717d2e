"""procedures/*.yaml: what ticketing runs, step by step."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.operator.base import Code, Document, Text
from shared.operator.conditions import When, values_of
from shared.operator.forms import CaptureField, form_mistake
from shared.operator.standstill import FROM_THE_START, possible_values, standstill
from shared.operator.steps import Step

# What ticketing hears of a customer and a procedure may end on.
ClosingEvent = Literal[
    "payment_reported", "payment_confirmed", "invoice_voided", "suspension_withdrawn", "debt_covered", "service_reconnected",
    "agreement_refused",
]  # fmt: skip
# What the network tells of a customer's service, and what billing tells of an agreement; a procedure may begin with either.
NetworkEvent = Literal["equipment_off"]
OpeningEvent = Literal["equipment_off", "agreement_refused"]


class Opening(Document):
    """People of these desks may open a ticket of the procedure, writing this down. `single`: not while one of the same customer is open;
    `suspended`: only while the customer's service is suspended and what it was cut for is owed. `on` what the network or billing tells
    opens it too, without a form; what billing could not carry out of a ticket begins with what was known in that one."""

    by: list[Code] = Field(min_length=1)
    rule: str | None = None
    capture: list[CaptureField] = []
    single: bool = False
    suspended: bool = False
    on: OpeningEvent | None = None

    @model_validator(mode="after")
    def _form(self) -> Self:
        if mistake := form_mistake(self.capture, {}):
            raise ValueError(mistake)
        return self


class Close(Document):
    """An event of the ticket's customer that closes the ticket by itself, whatever is open; with `when` only where that is known of it."""

    event: ClosingEvent
    when: When = {}
    outcome: Code


class Cancel(Document):
    """The ticket may be cancelled (a payment came first, the order was withdrawn) until one of these steps is finished or its network
    switch is claimed; it then closes with this outcome."""

    outcome: Code
    until: list[Code] = []


class Procedure(Document):
    """procedures/<code>.yaml. A running ticket keeps the version that it started with. `ends` closes it once nothing is open any more:
    procedures whose last pieces of work run in parallel need it. Without `opening` only the system opens its tickets."""

    code: Code
    version: int = Field(ge=1)
    kind: Text
    name: Text
    rules: list[str]
    desk: Code
    opening: Opening | None = None
    start: list[Code] = Field(min_length=1)
    steps: list[Step] = Field(min_length=1)
    outcomes: dict[Code, Text] = Field(min_length=1)
    ends: Code | None = None
    closes_on: list[Close] = []
    cancel: Cancel | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        codes = [step.code for step in self.steps]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"pasos repetidos: {', '.join(twice)}")
        opened = {code for step in self.steps for outcome in step.outcomes.values() for code in outcome.opens}
        joined = {code for step in self.steps for code in step.joins} | set(self.cancel.until if self.cancel else [])
        if unknown := sorted((opened | joined | set(self.start)) - set(codes)):
            raise ValueError(f"pasos que no existen: {', '.join(unknown)}")
        if lost := sorted(set(codes) - opened - set(self.start)):
            raise ValueError(f"pasos a los que nada lleva: {', '.join(lost)}")
        ends = {outcome.closes for step in self.steps for outcome in step.outcomes.values() if outcome.closes}
        ends |= {self.cancel.outcome} if self.cancel else set()
        ends |= {self.ends} if self.ends else set()
        if unnamed := sorted((ends | {each.outcome for each in self.closes_on}) - set(self.outcomes)):
            raise ValueError(f"resultados que `outcomes` no nombra: {', '.join(unnamed)}")
        if strange := conditions_on_nothing(self):
            raise ValueError(strange)
        if stop := standstill(self.steps, self.start, self.opening.capture if self.opening else [], self.ends):
            raise ValueError(stop)
        if shared := shared_work(self):
            raise ValueError(shared)
        return self

    def step(self, code: str) -> Step:
        """A step by its code. Raises KeyError."""
        return {step.code: step for step in self.steps}[code]

    @property
    def fields(self) -> list[CaptureField]:
        """Everything that may be written down in a ticket of this procedure."""
        return [*(self.opening.capture if self.opening else []), *(field for step in self.steps for field in step.capture)]


def shared_work(procedure: Procedure) -> str | None:
    """What does not go with a step's `work` (Spanish); None when there is nothing. Such a step may be done in another ticket, and then
    nothing follows from it here: the ticket must be able to end without, and no order to cut or reconnect may hang on it."""
    works = [step.work for step in procedure.steps if step.work is not None]
    if not works:
        return None
    if procedure.ends is None:
        return f"«{works[0]}» (`work`) se puede hacer en otro ticket, y este no se cerraría: indique `ends`"
    if any(step.action in ("network.suspend", "network.reconnect") for step in procedure.steps):
        return f"«{works[0]}» (`work`) se puede hacer en otro ticket: un procedimiento que suspende o reconecta no espera a otros"
    return None


def conditions_on_nothing(procedure: Procedure) -> str | None:
    """A `when` of a step or a closing that asks about what is never known, or for what it never is (Spanish); None when there is none."""
    values = {name: {each for each in found if isinstance(each, str)} for name, found in FROM_THE_START.items()}
    for field in procedure.fields:
        values.setdefault(field.name, set()).update(possible_values(field))
    asking = [(step.code, step.when) for step in procedure.steps] + [(each.event, each.when) for each in procedure.closes_on]
    for who, when in asking:
        for name, condition in when.items():
            if not values.get(name):
                known = ", ".join(sorted(each for each, found in values.items() if found))
                return f"«{who}» depende de «{name}», que no se anota como elección ni como sí o no; se conoce: {known}"
            if strange := sorted(set(values_of(condition)) - values[name]):
                return f"«{who}»: «{name}» nunca vale {', '.join(strange)}; puede ser: {', '.join(sorted(values[name]))}"
    return None
