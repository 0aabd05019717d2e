"""notices/*.yaml: on which event which template goes to whom."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.events import CATALOGUE, Event
from shared.operator.base import Code, Document, Text
from shared.operator.company import WorkingHours
from shared.operator.conditions import Condition, holds

Channel = Literal["email"]


class MessageLimits(Document):
    """When messages may reach a customer over a channel, and how many on one of its days. What comes outside the hours waits until they
    begin. What is beyond `per_day` waits for the next day that has room, or (`merge`) joins the first mail that waits already."""

    hours: WorkingHours | None = None
    per_day: int | None = Field(default=None, ge=1, le=20)
    beyond: Literal["merge", "next_day"] = "next_day"


class Receivers(Document):
    """Desks of the operator, those that the event lists in a field (`desks_in`), or the customer (its contacts with these roles; all that
    have an address when empty)."""

    desks: list[Code] = []
    desks_in: Code | None = None
    customer: bool = False
    roles: list[Text] = []

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if sum((bool(self.desks), self.desks_in is not None, self.customer)) != 1:
            raise ValueError("indique `desks`, `desks_in` o `customer: true`, uno de ellos")
        if self.roles and not self.customer:
            raise ValueError("`roles` es para los contactos del cliente: agregue `customer: true`")
        return self


class Notice(Document):
    """notices/<code>.yaml. `on` is an event type, `when` fields of it that must have these values: equal, one of a list, or `{not: …}`.
    An `urgent` one goes to the customer at once, whatever hours and messages per day its policy allows, and counts for no day."""

    code: Code
    name: Text
    rules: list[str] = []
    on: Text
    when: dict[str, Condition] = {}
    to: Receivers
    channels: list[Channel] = Field(default=["email"], min_length=1)
    template: Code
    attach: list[Literal["invoice"]] = []
    urgent: bool = False

    def applies_to(self, event: Event) -> bool:
        """Does this notice follow from the event?"""
        if self.to.desks_in is not None and self.on == event.TYPE and not self.desks_of(event):
            return False
        return self.on == event.TYPE and all(holds(condition, getattr(event, name)) for name, condition in self.when.items())

    def desks_of(self, event: Event) -> list[str]:
        """The desks that are told of the event, by code."""
        return list(self.to.desks if self.to.desks_in is None else getattr(event, self.to.desks_in))

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """The event tells what the notice needs of it; that it exists at all is the loader's question."""
        if self.on.startswith("notifier.message_"):
            raise ValueError("un aviso no puede tratar de los avisos mismos: no terminaría nunca")
        event = CATALOGUE.get(self.on)
        if event is not None and self.to.customer and "customer_id" not in event.model_fields:
            raise ValueError(f"`{self.on}` no trata de un cliente: indique `to.desks`")
        if event is not None and self.to.desks_in is not None and not _lists_texts(event, self.to.desks_in):
            raise ValueError(f"`{self.on}` no tiene en «{self.to.desks_in}» una lista de escritorios")
        if event is not None and self.attach and "invoice_id" not in event.model_fields:
            raise ValueError(f"`{self.on}` no trata de una factura: no hay qué adjuntar")
        return self


def _lists_texts(event: type[Event], field: str) -> bool:
    return field in event.model_fields and event.model_fields[field].annotation == list[str]
