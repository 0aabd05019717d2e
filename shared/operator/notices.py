"""notices/*.yaml: on which event which template goes to whom."""

from typing import Literal, Self

from pydantic import Field, model_validator

from shared.operator.base import Code, Document, Text

Channel = Literal["email"]


class Receivers(Document):
    """Desks of the operator, or the customer (its contacts with these roles; all that have an address when empty)."""

    desks: list[Code] = []
    customer: bool = False
    roles: list[Text] = []

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if bool(self.desks) == self.customer:
            raise ValueError("indique `desks` o `customer: true`, uno de los dos")
        return self


class Notice(Document):
    """notices/<code>.yaml. `on` is an event type, `when` fields of it that must have these values."""

    code: Code
    name: Text
    rules: list[str] = []
    on: Text
    when: dict[str, str | list[str]] = {}
    to: Receivers
    channels: list[Channel] = Field(default=["email"], min_length=1)
    template: Code
    attach: list[Literal["invoice"]] = []
