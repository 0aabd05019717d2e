"""Forms of procedures: what is written down to open a ticket or to finish a step."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import model_validator

from shared.operator.base import Code, Document, Text
from shared.operator.conditions import When, values_of

CaptureKind = Literal["text", "comment", "number", "money", "date", "yes_no", "choice", "plan", "service", "file", "items", "signature"]
# What the system can look up for a form, and the kind of field that it fills in.
Fill = Literal["contract_start", "contract_end", "monthly_amount", "balance"]
FILLS: Mapping[Fill, CaptureKind] = {"contract_start": "date", "contract_end": "date", "monthly_amount": "money", "balance": "money"}
OUTCOME = "outcome"  # in a field's `when`: what the step is being finished with


class CaptureField(Document):
    """Something that must (or may) be written down to finish a step, or to open a ticket. `comment` is the comment that finishes the step.

    `fill` is looked up by the system when the step (or the ticket) is opened; a person confirms it by leaving it, or writes what is right.
    `when` says when the field is asked for at all: by what is known of the ticket, by earlier fields of the form, or by the `outcome`.
    `told` fields go with the ticket's events, so that mails can show them. `names` are the choices as people read them. `items` are pieces
    of equipment or material (code, description, serial, quantity), with `choices` in one of these conditions; `signature` is who signed.
    """

    name: Code
    label: Text
    kind: CaptureKind = "text"
    required: bool = True
    choices: list[Text] = []
    names: dict[str, Text] = {}
    fill: Fill | None = None
    when: When = {}
    told: bool = False
    earliest: Literal["today"] | None = None
    latest: Literal["today"] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.kind == "choice" and not self.choices) or (self.choices and self.kind not in ("choice", "items")):
            raise ValueError("`choices` y `kind: choice` van juntos")
        if strange := sorted(set(self.names) - set(self.choices)):
            raise ValueError(f"`names` nombra lo que `choices` no tiene: {', '.join(strange)}")
        if self.fill is not None and self.kind != FILLS[self.fill]:
            raise ValueError(f"`fill: {self.fill}` llena un campo de `kind: {FILLS[self.fill]}`")
        if (self.earliest or self.latest) and self.kind != "date":
            raise ValueError("`earliest` y `latest` son para `kind: date`")
        return self


def form_mistake(capture: list[CaptureField], outcomes: Mapping[str, object]) -> str | None:
    """What is wrong with a form: a field twice, or one that waits for a later one or for an outcome that there is not."""
    names = [field.name for field in capture]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"campos repetidos: {', '.join(twice)}"
    for at, field in enumerate(capture):
        if late := sorted(set(field.when) & set(names[at:])):
            return f"«{field.name}» espera a un campo que viene después: {', '.join(late)}"
        if OUTCOME in field.when and (strange := sorted(set(values_of(field.when[OUTCOME])) - set(outcomes))):
            return f"«{field.name}» espera un resultado que el paso no tiene: {', '.join(strange)}"
    return None
