"""What every event shares: the tolerant reader, the key, and the exact amount."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

# Amounts travel as JSON strings ("1234.5000"): a JSON number would pass through a float somewhere.
Amount = Annotated[Decimal, Field(max_digits=18, decimal_places=4), PlainSerializer(str, return_type=str, when_used="json")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Delivery = Literal["own", "third_party"]


class Payload(BaseModel):
    """A part of an event. Unknown fields are ignored, so that sender and receiver may deploy apart."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Payload):
    """A fact that happened in one service. `TYPE` is written by hand and never derived from the class name."""

    TYPE: ClassVar[str]

    def key(self) -> str:
        """What keeps its order: the customer, or the device where no customer is touched."""
        return str(self.customer_id)  # type: ignore[attr-defined]


class Envelope(Payload):
    """An event under way: CloudEvents 1.0 attributes and the JSON text of its data."""

    id: UUID
    type: str
    source: str
    subject: str
    sequence: int
    key: str
    time: datetime
    traceparent: str | None = None
    data: str


def catalogue(*modules: Any) -> dict[str, type[Event]]:
    """Map wire type → class for the given modules; a type written twice is an error."""
    found: dict[str, type[Event]] = {}
    for module in modules:
        for value in vars(module).values():
            is_event = isinstance(value, type) and issubclass(value, Event) and "TYPE" in vars(value)
            if is_event and found.setdefault(value.TYPE, value) is not value:
                raise ValueError(f"event type {value.TYPE} is written twice")
    return found
