"""What a ticket shows of its customer, so that whoever works on it needs no second system."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from services.ticketing.models import Customer
from services.ticketing.queries.facts import About, Person, services_on
from services.ticketing.rules.states import NetworkState
from shared.operator import Operator
from shared.web.shapes import MoneyShown, example, money


class ServiceOfCustomer(BaseModel):
    """A service that the customer has now; its `id` is what a field of kind `service` takes."""

    id: UUID
    plan: str | None
    plan_name: str | None
    delivery: str
    network_login: str | None
    network: NetworkState = Field(description="cómo lo dejó la última orden a la red")
    monthly_amount: MoneyShown | None


class OpenInvoice(BaseModel):
    """An invoice of which something is owed, or was only reported as paid."""

    id: UUID
    number: str
    due_date: date | None
    owed: MoneyShown | None
    reported: MoneyShown | None = Field(description="reportado y todavía sin confirmar")


class CustomerOfTicket(BaseModel):
    """The customer as billing told of it last: contract, people to talk to, services, what is owed."""

    model_config = example(
        id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
        name="Hotel Copán, S.A.",
        external_id="C-0042",
        contract_start="2025-01-01",
        contract_end="2026-12-31",
        monthly_amount={"amount": "600.00", "currency": "USD"},
        contacts=[{"name": "Julia Paz", "role": "administrativo", "email": "pagos@hotel.example", "phone": "+504 2550-0000"}],
        services=[],
        owed={"amount": "690.00", "currency": "USD"},
        open_invoices=[],
    )
    id: UUID
    name: str
    external_id: str
    contract_start: date | None
    contract_end: date | None
    monthly_amount: MoneyShown | None
    contacts: list[Person]
    services: list[ServiceOfCustomer]
    owed: MoneyShown | None = Field(description="lo que debe en total, creyendo los pagos reportados")
    open_invoices: list[OpenInvoice]


def show_customer(
    customer: Customer, owed: Sequence[Any], network: Mapping[UUID, NetworkState], operator: Operator, day: date
) -> CustomerOfTicket:
    """The customer with the services of an operator's day."""
    about = About.model_validate(customer.about)
    currency = about.currency or operator.currency
    names = {each.code: each.name for each in operator.plans}
    services = [
        ServiceOfCustomer(
            id=each.service_id,
            plan=each.plan_code,
            plan_name=names.get(each.plan_code or ""),
            delivery=each.delivery,
            network_login=each.network_login,
            network=network.get(each.service_id, NetworkState.ACTIVE),
            monthly_amount=money(each.monthly_amount, currency) if each.monthly_amount is not None else None,
        )
        for each in services_on(customer, day)
    ]
    own = [each for each in owed if each.currency in (None, currency)]
    return CustomerOfTicket(
        **{name: getattr(customer, name) for name in ("id", "name", "external_id")},
        **about.model_dump(include={"contract_start", "contract_end"}),
        monthly_amount=money(about.monthly_amount, currency) if about.monthly_amount is not None else None,
        contacts=about.contacts,
        services=services,
        owed=money(sum((each.amount for each in own), Decimal(0)), currency),
        open_invoices=[_invoice(each, currency) for each in owed],
    )


def _invoice(row: Mapping[str, Any], currency: str) -> OpenInvoice:
    unit = row["currency"] or currency
    return OpenInvoice(
        id=row["id"],
        number=row["number"],
        due_date=row["due_date"],
        owed=money(row["amount"], unit) if row["amount"] else None,
        reported=money(row["reported"], unit) if row["reported"] else None,
    )
