"""Messages, their deliveries, and what is known of customers and invoices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.notifier.models import Assignment, Customer, Delivery, Invoice, Message
from services.notifier.rules.states import DeliveryState, MessageState
from shared.bulk import read
from shared.db import Fetched, rows
from shared.errors import NotFound
from shared.sorting import Order, Placed, Sorting, identity, instant, text

STILL_OPEN = """
SELECT customer_id, number, period, due_date, open_amount, currency FROM invoice WHERE customer_id = ANY($1::uuid[]) AND open_amount > 0
ORDER BY due_date, id
"""
MESSAGES = Sorting(
    "-id",
    identity("message.id"),
    id=identity("message.id"),
    notice=text("message.notice", indexed=True),
    state=text("message.state", indexed=True),
    subject=text("message.subject"),
    created_at=instant("message.created_at"),
    accepted_at=instant("message.accepted_at", empty=True),
)


@dataclass(frozen=True)
class Known:
    """What is known of some customers and invoices, by id. `open_invoices` of each customer, the oldest first."""

    customers: Mapping[UUID, Customer] = field(default_factory=dict)
    assignments: Mapping[UUID, Assignment] = field(default_factory=dict)
    invoices: Mapping[UUID, Invoice] = field(default_factory=dict)
    open_invoices: Mapping[UUID, Sequence[Fetched]] = field(default_factory=dict)


@dataclass(frozen=True)
class MessageView:
    """A message with its deliveries, in the order of its recipients."""

    message: Message
    deliveries: Sequence[Delivery]


async def known_facts(session: AsyncSession, *, customers: Collection[UUID], invoices: Collection[UUID]) -> Known:
    """All that is known of these customers and invoices; none of it the session's object."""
    people, assigned, open_ones = list[Customer](), list[Assignment](), dict[UUID, list[Fetched]]()
    if ids := list(customers):
        people = await read(session, Customer, "WHERE id = ANY($1::uuid[])", ids)
        assigned = await read(session, Assignment, "WHERE customer_id = ANY($1::uuid[])", ids)
        for each in await rows(session, STILL_OPEN, ids):
            open_ones.setdefault(each.customer_id, []).append(each)
    named = await read(session, Invoice, "WHERE id = ANY($1::uuid[])", list(invoices)) if invoices else []
    return Known(
        {each.id: each for each in people}, {each.customer_id: each for each in assigned}, {each.id: each for each in named}, open_ones
    )


async def find_messages(
    session: AsyncSession,
    order: Order,
    *,
    customer_id: UUID | None = None,
    notice: str | None = None,
    state: MessageState | None = None,
) -> list[Placed[Message]]:
    """Messages."""
    query = select(Message)
    for column, value in ((Message.customer_id, customer_id), (Message.notice, notice), (Message.state, state)):
        if value is not None:
            query = query.where(col(column) == value)
    return await order.select(session, query)


async def get_message(session: AsyncSession, message_id: UUID) -> MessageView:
    """A message and its deliveries. Raises NotFound."""
    message = await session.get(Message, message_id, populate_existing=True)
    if message is None:
        raise NotFound(f"No existe el mensaje {message_id}.")
    return MessageView(message, (await deliveries_of(session, [message_id]))[message_id])


async def get_delivery(session: AsyncSession, delivery_id: UUID) -> Delivery:
    """A delivery. Raises NotFound."""
    found = await session.get(Delivery, delivery_id, populate_existing=True)
    if found is None:
        raise NotFound(f"No existe la entrega {delivery_id}.")
    return found


async def deliveries_of(session: AsyncSession, message_ids: Collection[UUID]) -> dict[UUID, list[Delivery]]:
    """The deliveries of each message, in the order of its recipients."""
    query = select(Delivery).where(col(Delivery.message_id).in_(message_ids)).order_by(col(Delivery.id))
    found: dict[UUID, list[Delivery]] = {each: [] for each in message_ids}
    for each in (await session.execute(query.execution_options(populate_existing=True))).scalars():
        found[each.message_id].append(each)
    return found


async def riders_of(session: AsyncSession, delivery_ids: Collection[UUID]) -> dict[UUID, list[Message]]:
    """The messages that go out in these deliveries' mails beside their own, in the order in which they joined."""
    query = select(col(Delivery.rides_with), Message).join(Message, col(Message.id) == col(Delivery.message_id))
    query = query.where(col(Delivery.rides_with).in_(delivery_ids)).order_by(col(Delivery.id))
    found: dict[UUID, list[Message]] = {}
    for lead, message in (await session.execute(query)).all():
        if lead is not None:
            found.setdefault(lead, []).append(message)
    return found


async def printable_invoices(session: AsyncSession, invoice_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """What `shared.pdf.render_invoice` wants of each of these invoices that is known."""
    if not invoice_ids:
        return {}
    query = select(Invoice, Customer, Assignment).join(Customer, col(Customer.id) == col(Invoice.customer_id))
    query = query.outerjoin(Assignment, col(Assignment.customer_id) == col(Invoice.customer_id)).where(col(Invoice.id).in_(invoice_ids))
    return {invoice.id: _printable(invoice, customer, assigned) for invoice, customer, assigned in (await session.execute(query)).all()}


def _printable(invoice: Invoice, customer: Customer, assigned: Assignment | None) -> dict[str, Any]:
    email = next((each["email"] for each in customer.contacts if each.get("email")), None)
    agent = (assigned.agent if assigned else None) or customer.agent
    person = {"name": customer.name, "external_id": customer.external_id, "tax_id": customer.tax_id, "email": email, "agent": agent}
    paid_at = invoice.paid_at.isoformat() if invoice.paid_at else None
    return {**invoice.data, "customer": person, "voided": invoice.voided, "paid_at": paid_at}


async def next_attempt(session: AsyncSession, now: datetime) -> datetime | None:
    """When the next delivery is tried (business time): now while one is under way."""
    sql = "SELECT min(next_attempt_at) AS at, (SELECT count(*) FROM delivery WHERE state = 'SENDING') AS sending FROM delivery"
    found = (await rows(session, sql + " WHERE next_attempt_at IS NOT NULL"))[0]
    return now if found.sending else found.at


async def gauges(session: AsyncSession) -> Mapping[tuple[str, str], float]:
    """Deliveries by outcome, messages by state."""
    found = {("deliveries", str(state)): 0.0 for state in DeliveryState} | {("messages", str(state)): 0.0 for state in MessageState}
    for row in await rows(session, "SELECT state, count(*) AS n FROM delivery GROUP BY state"):
        found["deliveries", row.state] = float(row.n)
    for row in await rows(session, "SELECT state, count(*) AS n FROM message GROUP BY state"):
        found["messages", row.state] = float(row.n)
    return found


# What must hold at any time: each query answers the rows that break the sentence.
CHECKS = {
    "cada mensaje va a alguna dirección": "SELECT id FROM message m WHERE NOT EXISTS (SELECT FROM delivery d WHERE d.message_id = m.id)",
    "un mensaje está aceptado cuando cada servidor lo recibió": """
        SELECT m.id FROM message m JOIN delivery d ON d.message_id = m.id
        GROUP BY m.id HAVING (m.state = 'ACCEPTED') <> bool_and(d.state = 'ACCEPTED')""",
    "un mensaje aceptado lleva el instante del último servidor": """
        SELECT m.id FROM message m JOIN delivery d ON d.message_id = m.id WHERE m.state = 'ACCEPTED'
        GROUP BY m.id HAVING m.accepted_at IS DISTINCT FROM max(d.accepted_at)""",
    "un mensaje que espera tiene próximo intento": """
        SELECT m.id FROM message m WHERE m.state = 'QUEUED' AND NOT EXISTS (
            SELECT FROM delivery d WHERE d.message_id = m.id
            AND (d.next_attempt_at IS NOT NULL OR d.state = 'SENDING' OR d.rides_with IS NOT NULL))""",
    "lo que viaja en un correo corre su suerte": """
        SELECT r.id FROM delivery r JOIN delivery d ON d.id = r.rides_with WHERE d.rides_with IS NOT NULL OR r.next_attempt_at IS NOT NULL
            OR r.day IS NOT NULL OR (r.state <> d.state AND (r.state, d.state) <> ('QUEUED', 'SENDING')
            AND (r.state, d.state) NOT IN (('UNKNOWN', 'QUEUED'), ('UNKNOWN', 'SENDING')))""",
    "una entrega recibida se intentó": "SELECT id FROM delivery WHERE state = 'ACCEPTED' AND (attempts = 0 OR accepted_at IS NULL)",
    "de una factura pagada o anulada no se debe nada": """
        SELECT number FROM invoice WHERE open_amount > 0 AND (voided OR paid_at IS NOT NULL)""",
    "de una factura no se debe más que al emitirla": """
        SELECT number FROM invoice WHERE open_amount NOT BETWEEN 0 AND (data->>'balance')::numeric""",
}
