"""What a sentence is made of, and which event has which."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from services.collections.rules import wording
from services.collections.rules.states import SYSTEM
from shared.events import Event
from shared.events.collections import InvoiceDispatchRequested
from shared.operator import Operator, Policy

E = TypeVar("E", bound=Event)
REGISTERED = "registered"
# What people filter by → what it is called.
TOPICS = {
    "account": "el cliente, su cartera y su política",
    "status": "los estados",
    "invoices": "facturas, notas de crédito y disputas",
    "payments": "pagos",
    "contacts": "gestiones con el cliente",
    "agreements": "compromisos, planes de pago y revisiones",
    "messages": "avisos y correos",
    "network": "suspensiones y reconexiones",
    "tickets": "tickets, tareas y órdenes de trabajo",
    "outages": "fallas de red",
}


@dataclass(frozen=True)
class Said:
    """A sentence: `who` a person's code or `sistema` (None where nobody is named), `rule` an id, `fact_id` what it is about."""

    kind: str
    text: str
    who: str | None = None
    rule: str | None = None
    fact_id: UUID | None = None


@dataclass(frozen=True)
class Words:
    """What a sentence is put together with: the operator's language, the policy that rules the customer, the numbers of its invoices."""

    operator: Operator
    policy: Policy
    numbers: Mapping[UUID, str]

    def money(self, amount: Decimal, currency: str) -> str:
        return wording.money(self.operator, amount, currency)

    def moment(self, instant: datetime) -> str:
        return wording.moment(self.operator, instant)

    def rule(self, decision: str) -> str | None:
        """The rule by which the policy decides this; None where it does not."""
        return self.policy.rules.get(decision)  # type: ignore[call-overload,no-any-return]

    def who(self, person: str | None) -> str:
        return wording.who(self.operator, person)

    def invoice(self, invoice_id: UUID | None) -> str:
        """` 000-001-01-00000001`, with a blank before it; empty where the number is not known."""
        number = self.numbers.get(invoice_id) if invoice_id is not None else None
        return f" {number}" if number else ""

    def procedure_rule(self, code: str) -> str | None:
        """The first rule of a procedure of the operator."""
        found = self.operator.procedures.get(code)
        return found.rules[0] if found and found.rules else None


Sentence = Callable[[Words, Any], Said]


@dataclass(frozen=True)
class Spoken:
    """An event type, the topic that its sentence belongs to, and the field that holds its instant (None: when it is heard of)."""

    event: type[Event]
    topic: str
    at: str | None
    sentence: Sentence


KEPT: dict[str, Spoken] = {}


def says(event: type[E], topic: str, at: str | None) -> Callable[[Callable[[Words, E], Said]], Callable[[Words, E], Said]]:
    """Mark the sentence of an event."""

    def mark(sentence: Callable[[Words, E], Said]) -> Callable[[Words, E], Said]:
        KEPT[event.TYPE] = Spoken(event, topic, at, sentence)
        return sentence

    return mark


def is_kept(event: Event) -> bool:
    """Does the event belong into a timeline? The sending of an invoice by a person does not: its contact tells it."""
    told_twice = isinstance(event, InvoiceDispatchRequested) and event.requested_by != SYSTEM
    return event.TYPE in KEPT and not told_twice


def instant_of(event: Event, heard_at: datetime) -> datetime:
    """When it happened (UTC)."""
    field = KEPT[event.TYPE].at
    found = getattr(event, field) if field is not None else heard_at
    assert isinstance(found, datetime)
    return found


def say(words: Words, kind: str, data: Mapping[str, Any]) -> Said:
    """The sentence of an event that was kept."""
    spoken = KEPT[kind]
    return spoken.sentence(words, spoken.event.model_validate(data))


def registered(words: Words, source: str, external_id: str, opening_status: str | None) -> Said:
    """How the customer came to us: what every timeline begins with."""
    opening = f" y el estado «{opening_status}»" if opening_status else ""
    text = f"El cliente llega de {source} con el código {external_id}{opening}."
    return Said(REGISTERED, text, rule=words.rule("segment"))
