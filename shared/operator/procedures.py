"""procedures/*.yaml: what ticketing runs, step by step."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.operator.base import Code, Document, Text

Action = Literal["network.suspend", "network.reconnect"]
REQUESTER = "requester"


class CaptureField(Document):
    """Something that must (or may) be written down to finish a step. `comment` is the comment that finishes it."""

    name: Code
    label: Text
    kind: Literal["text", "comment", "number", "date", "yes_no", "choice"] = "text"
    required: bool = True
    choices: list[Text] = []

    @model_validator(mode="after")
    def _choices(self) -> Self:
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError("`choices` y `kind: choice` van juntos")
        return self


class Deadline(Document):
    """How long a step may stay open: round the clock, or counted on the business calendar."""

    hours: int | None = Field(default=None, ge=1)
    business_hours: int | None = Field(default=None, ge=1)
    business_days: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.hours, self.business_hours, self.business_days)) != 1:
            raise ValueError("indique `hours`, `business_hours` o `business_days`, uno de los tres")
        return self


class Outcome(Document):
    """What follows from an outcome: steps that open, or the ticket closes with this outcome. Neither: the piece of work just ends."""

    label: Text
    opens: list[Code] = []
    closes: Code | None = None


class Step(Document):
    """A piece of work. A task belongs to a desk (or to `requester`, who asked for the ticket); an automatic step is done by an action,
    whose outcomes are done, refused and cancelled. With `joins` it opens only once all these steps are finished."""

    code: Code
    name: Text
    kind: Literal["task", "automatic"]
    role: Code | None = None
    action: Action | None = None
    rule: str | None = None
    capture: list[CaptureField] = []
    deadline: Deadline | None = None
    joins: list[Code] = []
    outcomes: dict[Code, Outcome] = Field(min_length=1)

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if (self.kind == "task") != (self.role is not None):
            raise ValueError("un paso `task` necesita `role`; uno `automatic` no lo tiene")
        if (self.kind == "automatic") != (self.action is not None):
            raise ValueError("un paso `automatic` necesita `action`; uno `task` no la tiene")
        return self


class Close(Document):
    """An event that closes the ticket by itself, whatever is open."""

    event: Code
    outcome: Code


class Cancel(Document):
    """The ticket may be cancelled (a payment came first, the order was withdrawn) until one of these steps is finished or its network
    switch is claimed; it then closes with this outcome."""

    outcome: Code
    until: list[Code] = []


class Procedure(Document):
    """procedures/<code>.yaml. A running ticket keeps the version that it started with. `ends` closes it once nothing is open any more:
    procedures whose last pieces of work run in parallel need it."""

    code: Code
    version: int = Field(ge=1)
    kind: Text
    name: Text
    rules: list[str]
    desk: Code
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
        if unnamed := sorted((ends | {each.outcome for each in self.closes_on}) - set(self.outcomes)):
            raise ValueError(f"resultados que `outcomes` no nombra: {', '.join(unnamed)}")
        return self

    def step(self, code: str) -> Step:
        """A step by its code. Raises KeyError."""
        return {step.code: step for step in self.steps}[code]
