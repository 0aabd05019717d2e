"""What a form may name, gathered for whoever fills it in."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer
from services.ticketing.queries.documents import files_named
from services.ticketing.queries.facts import look_up, services_on
from services.ticketing.rules.capture import Named
from shared.operator import CaptureField, Operator


async def what_may_be_named(
    session: AsyncSession, *, customer: Customer, fields: Sequence[CaptureField], given: Mapping[str, Any], operator: Operator, day: date
) -> Named:
    """Plans, the customer's services of that day, its documents among those given, and what the system looks up: whatever is asked for."""
    kinds = {each.kind for each in fields}
    return Named(
        plans=frozenset(each.code for each in operator.plans) if "plan" in kinds else frozenset(),
        services=_services(customer, operator, day) if "service" in kinds else {},
        files=await files_named(session, customer.id, _ids(fields, given)) if "file" in kinds else {},
        looked_up=await look_up(session, customer) if any(each.fill for each in fields) else {},
    )


def _services(customer: Customer, operator: Operator, day: date) -> dict[str, str]:
    plans = {each.code: each.name for each in operator.plans}
    found = {}
    for each in services_on(customer, day):
        words = [plans.get(each.plan_code or "", each.plan_code), each.network_login]
        found[str(each.service_id)] = " · ".join(word for word in words if word) or str(each.service_id)
    return found


def _ids(fields: Sequence[CaptureField], given: Mapping[str, Any]) -> list[UUID]:
    """What is given for documents, where it is an id at all."""
    found = []
    for each in fields:
        if each.kind == "file":
            try:
                found.append(UUID(given[each.name]))
            except (KeyError, ValueError, AttributeError, TypeError):
                continue
    return found
