"""Events become messages: at most one per event and notice, rendered when it is made."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.models import Delivery, Message
from services.notifier.operations.failures import failure_event
from services.notifier.operations.holding import Made, give_places, limits_of
from services.notifier.queries import Known, known_facts
from services.notifier.rules.mime import message_id
from services.notifier.rules.recipients import Recipient, recipients, reference_of
from services.notifier.rules.rendering import OpenInvoice, Rendered, render
from services.notifier.rules.states import DeliveryState, MessageState
from shared.bulk import insert, made
from shared.db import Fetched, new_id, ring
from shared.events import Event
from shared.events.billing import InvoiceIssued
from shared.operator import Notice, Operator, Person
from shared.operator.templates import templates_of
from shared.outbox import publish_many
from shared.routing import FactMissing

NO_ADDRESS = "El cliente no tiene ninguna dirección de correo."


@dataclass(frozen=True)
class Occasion:
    """An event and a notice that follows from it."""

    event_id: UUID
    event: Event
    notice: Notice

    @property
    def customer_id(self) -> UUID | None:
        return getattr(self.event, "customer_id", None)

    @property
    def invoice_id(self) -> UUID | None:
        return getattr(self.event, "invoice_id", None)


async def announce(session: AsyncSession, *, operator: Operator, events: Sequence[tuple[UUID, Event]], now: datetime) -> int:
    """Make the messages that follow from some events, and queue their deliveries. Answers how many are new.
    Raises FactMissing when a customer or invoice is not known yet, and UnableToRender."""
    occasions = [
        Occasion(event_id, event, notice)
        for event_id, event in events
        for notice in operator.notices_for(event.TYPE)
        if notice.applies_to(event)
    ]
    if not occasions:
        return 0
    known = await known_facts(
        session,
        customers={each.customer_id for each in occasions if each.customer_id},
        invoices={each.invoice_id for each in occasions if each.invoice_id},
    )
    written = []
    for each in occasions:
        written.append(_made(operator, each, known, now))
        await asyncio.sleep(0)  # writing a mail takes a millisecond or two: whoever shares this process has a turn in between
    return await _keep(session, operator, written, now)


def _made(operator: Operator, occasion: Occasion, known: Known, now: datetime) -> Made:
    facts = _facts(operator, occasion, known, now)
    rendered = render(templates_of(operator), occasion.notice.template, facts)
    contacts = facts["customer"].contacts if facts["customer"] else []
    found = recipients(occasion.notice, operator, contacts, occasion.notice.desks_of(occasion.event))
    message = _written(occasion, rendered, found, facts["agent"], now)
    if not found:
        return Made(message, [_unreachable(operator, message, facts["customer"].name)], None)
    limits = limits_of(operator, occasion.notice.code, facts["policy"].code)
    return Made(message, [queue_delivery(operator, message, each, now) for each in found], limits)


def _written(occasion: Occasion, rendered: Rendered, found: Sequence[Recipient], answers: Person | None, now: datetime) -> Message:
    notice = occasion.notice
    return made(
        Message,
        id=new_id(),
        state=MessageState.QUEUED if found else MessageState.FAILED,
        version=0 if found else 1,
        recipients=[{"name": each.name, "address": each.address} for each in found],
        reply_to={"name": answers.name, "address": answers.email} if answers else None,
        notice=notice.code,
        event_id=occasion.event_id,
        event_type=occasion.event.TYPE,
        customer_id=occasion.customer_id,
        reference=reference_of(occasion.event) or str(occasion.event_id),
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        rules=notice.rules,
        attached_invoice_id=occasion.invoice_id if "invoice" in notice.attach else None,
        created_at=now,
    )


def queue_delivery(operator: Operator, message: Message, recipient: Recipient, now: datetime) -> Delivery:
    """A delivery of the message to one address, due at once."""
    delivery_id = new_id()
    return made(
        Delivery,
        id=delivery_id,
        message_id=message.id,
        name=recipient.name,
        address=recipient.address,
        header_id=message_id(str(delivery_id), operator.mail_from),
        next_attempt_at=now,
    )


def _unreachable(operator: Operator, message: Message, name: str) -> Delivery:
    """In place of an address that nobody has told: it stays, failed, until a person has found one."""
    delivery_id = new_id()
    header_id = message_id(str(delivery_id), operator.mail_from)
    return made(
        Delivery, id=delivery_id, message_id=message.id, name=name, header_id=header_id, state=DeliveryState.FAILED, detail=NO_ADDRESS
    )


def _facts(operator: Operator, occasion: Occasion, known: Known, now: datetime) -> dict[str, Any]:
    """What templates may speak of. Raises FactMissing."""
    customer_id, invoice_id = occasion.customer_id, occasion.invoice_id
    customer = known.customers.get(customer_id) if customer_id else None
    if customer_id and customer is None:
        raise FactMissing(f"customer {customer_id} for notice {occasion.notice.code}")
    if invoice_id and invoice_id not in known.invoices:
        raise FactMissing(f"invoice {invoice_id} for notice {occasion.notice.code}")
    assignment = known.assignments.get(customer_id) if customer_id else None
    agent = (assignment.agent if assignment else None) or (customer.agent if customer else None)
    return {
        "event": occasion.event,
        "notice": occasion.notice,
        "operator": operator,
        "now": now,
        "customer": customer,
        "agent": operator.person(agent) if agent else None,
        "policy": operator.policy(assignment.policy if assignment and assignment.policy else operator.default_policy),
        "invoice": InvoiceIssued.model_validate(known.invoices[invoice_id].data) if invoice_id else None,
        "open_invoices": [_open(each) for each in known.open_invoices.get(customer_id, [])] if customer_id else [],
        "rules": [operator.rule(each) for each in occasion.notice.rules],
    }


def _open(invoice: Fetched) -> OpenInvoice:
    return OpenInvoice(invoice.number, invoice.period, invoice.due_date, invoice.open_amount, invoice.currency)


async def _keep(session: AsyncSession, operator: Operator, written: Sequence[Made], now: datetime) -> int:
    """Insert what is new, each delivery in its place. Messages that nobody can get are told of at once."""
    ids = await insert(session, [each.message for each in written], but="ON CONFLICT ON CONSTRAINT uq_message_event DO NOTHING")
    new = [each for each in written if each.message.id in ids]
    await give_places(session, operator, new, now)
    await insert(session, [delivery for each in new for delivery in each.deliveries])
    failed = [(each.message, delivery) for each in new for delivery in each.deliveries if delivery.address is None]
    await publish_many(session, [told for message, delivery in failed if (told := failure_event(message, delivery, 1, now))], now=now)
    ring(session, "deliveries")
    return len(new)
