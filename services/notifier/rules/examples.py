"""An imagined occasion of a notice: what its templates would be given, for whoever changes them."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel

from services.notifier.rules.rendering import OpenInvoice
from shared.events import CATALOGUE
from shared.events.billing import CustomerRegistered, InvoiceIssued
from shared.operator import Notice, Operator, Policy
from shared.operator.conditions import Unless, values_of
from shared.operator.templates import CUSTOMER

ID = UUID("019d2f6e-0001-7c7a-9a35-0a8b0f6f4b51")
AMOUNT = Decimal("1380.00")
TEXTS = {
    "number": "000-001-01-00000412",
    "reference": "TRX-20814",
    "reason": "El motivo que se escribió al registrarlo",
    "detail": "El detalle que dio el sistema",
    "comment": "Lo que comentó quien cerró el ticket",
    "name": "Hotel Maya Real, S. A.",
    "external_id": "C-000412",
    "description": "Descripción de ejemplo",
    "host": "crm.example",
    "channel": "transferencia",
    "technician": "Wilmer Antúnez",
}
PEOPLE = ("requested_by", "resolved_by", "opened_by", "agreed_by", "placed_by", "agent", "reported_by", "refunded_by", "finished_by")


def imagined(operator: Operator, notice: Notice, now: datetime) -> dict[str, Any]:
    """What the templates of this notice may speak of, made up. Raises KeyError for a notice about an event that does not exist."""
    event_type = CATALOGUE[notice.on]
    event = event_type.model_validate(_values(operator, event_type, now, _wanted(operator, notice)))
    invoice = InvoiceIssued.model_validate(_values(operator, InvoiceIssued, now, {"period": f"{now:%Y-%m}", "fee": None}))
    open_one = OpenInvoice(invoice.number, invoice.period, invoice.due_date, AMOUNT, operator.currency)
    about_customer = "customer_id" in event_type.model_fields
    return {
        "event": event,
        "notice": notice,
        "operator": operator,
        "now": now,
        "customer": _customer(operator, now) if about_customer else None,
        "agent": operator.people[0] if about_customer else None,
        "policy": _policy_of(operator, notice),
        "invoice": invoice if "invoice_id" in event_type.model_fields else None,
        "open_invoices": [open_one] if about_customer else [],
        "rules": [operator.rule(each) for each in notice.rules],
    }


def _customer(operator: Operator, now: datetime) -> SimpleNamespace:
    """A customer with what the notifier keeps of one and no more: a template that asks for more fails here, too."""
    told = CustomerRegistered.model_validate(_values(operator, CustomerRegistered, now, {})).model_dump(mode="json")
    known = {**told, "id": ID, "agent": operator.people[0].person}
    return SimpleNamespace(**{name: known[name] for name in sorted(CUSTOMER)})


def _policy_of(operator: Operator, notice: Notice) -> Policy:
    """The policy whose rules the notice follows, else everybody's."""
    return next(
        (each for each in operator.policies.values() if set(notice.rules) & set(each.rules.values())),
        operator.policy(operator.default_policy),
    )


def _wanted(operator: Operator, notice: Notice) -> dict[str, Any]:
    """The values that the notice asks for, and what belongs to them."""
    found: dict[str, Any] = {name: values_of(each)[0] or None for name, each in notice.when.items() if not isinstance(each, Unless)}
    if (procedure := operator.procedures.get(str(found.get("procedure")))) is not None:
        found["kind"] = procedure.kind
    return found


def _values(operator: Operator, model: type[BaseModel], now: datetime, given: Mapping[str, Any]) -> dict[str, Any]:
    """A value for every field of an event."""
    known: dict[str, Any] = {
        **dict.fromkeys(PEOPLE, operator.people[0].person),
        **dict.fromkeys(("plan_code", "from_plan", "to_plan"), operator.plans[-1].code),
        "currency": operator.currency,
        "desk": operator.desks[0].code,
        "procedure": next(iter(operator.procedures)),
        "kind": next(iter(operator.procedures.values())).kind,
        "assigned_agent": operator.people[0].person,
        **given,
    }
    found = {}
    for name, field in model.model_fields.items():
        possible = get_args(field.annotation) if get_origin(field.annotation) is Literal else None
        usual = known[name] if name in known else _value(operator, name, field.annotation, now)
        found[name] = usual if possible is None or usual in possible else possible[0]
    return found


def _value(operator: Operator, name: str, kind: Any, now: datetime) -> Any:
    """A value of a type, as it could stand in a field of this name."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _value(operator, name, get_args(kind)[0], now)
    if origin is Literal:
        return get_args(kind)[0]
    if origin in {Union, UnionType}:
        return _value(operator, name, next(each for each in get_args(kind) if each is not NoneType), now)
    if origin is list:
        return [_value(operator, name, get_args(kind)[0], now)]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _values(operator, kind, now, {})
    plain = {UUID: ID, Decimal: AMOUNT, bool: False, int: 5, date: now.date() + timedelta(days=3), datetime: now, time: time(8, 0)}
    return plain.get(kind, TEXTS.get(name, "ejemplo"))
