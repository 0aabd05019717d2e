"""Events as billing sends them, for the NOC's tests."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared.db import new_id
from shared.events.billing import CustomerChanged, CustomerRegistered, CustomerState, ServiceSold


def sold(node: str | None, *, active_to: date | None = None, service_id: UUID | None = None) -> ServiceSold:
    """An internet service on a node."""
    return ServiceSold(
        service_id=service_id or new_id(),
        plan_code="dedicado_100",
        plan_kind="dedicated",
        delivery="own",
        access_node=node,
        monthly_amount=Decimal("600.00"),
        active_from=date(2025, 1, 1),
        active_to=active_to,
    )


def customer(*services: ServiceSold, customer_id: UUID | None = None, changed: bool = False) -> CustomerState:
    """A customer with these services."""
    cls = CustomerChanged if changed else CustomerRegistered
    given: dict[str, Any] = {"customer_id": customer_id or new_id(), "external_source": "crm", "external_id": "1", "name": "Hotel Copantl"}
    return cls(**given, monthly_amount=Decimal("600.00"), currency="USD", contacts=[], services=list(services))
