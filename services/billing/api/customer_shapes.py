"""What the routes of customers take and show."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from services.billing.api.shapes import Code, Name
from shared.events.base import Delivery
from shared.money import Amount
from shared.web import Input
from shared.web.shapes import MoneyShown, example

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s,;<>()]+@[^@\s,;<>()]+\.[^@\s,;<>()]+$", max_length=254)]
TaxId = Annotated[str, StringConstraints(min_length=1, max_length=40)]  # as the tax authority writes it: RTN, NIT, RIF
CONTACT = {"name": "Norma Oliva", "role": "administrativo", "email": "norma.oliva@cafeteria.example", "phone": "+504 9091-9884"}
SERVICE = {"code": "internet", "plan_code": "negocio_100", "delivery": "own", "access_node": "SPS-NORTE-OLT2", "active_from": "2026-03-01"}


class ContactInput(Input):
    """Someone to talk to at the customer's."""

    model_config = example(**CONTACT)
    name: Name
    role: Code = "principal"
    email: Email | None = None
    phone: Code | None = None


class ContractInput(Input):
    """The contract; what is left out stays as it is."""

    model_config = example(number="CT-10001", start_date="2024-08-10", end_date=None)
    number: Code | None = None
    kind: Code | None = None
    start_date: date | None = None
    end_date: date | None = None


class ServiceInput(Input):
    """A service by its code among the customer's services. Without `monthly_amount` the plan's price is billed (before tax, the operator's
    currency); `active_to` is its last day."""

    model_config = example(**SERVICE)
    code: Code
    plan_code: Code
    monthly_amount: Annotated[Amount, Field(ge=0)] | None = None
    delivery: Delivery = "own"
    network_login: Code | None = None
    access_node: Code | None = None
    active_from: date
    active_to: date | None = None


class CustomerInput(Input):
    """A customer that no file brings."""

    model_config = example(
        external_source="crm", external_id="C-20001", name="Cafetería El Carmen", tax_id="05012024252421", services=[SERVICE]
    )
    external_source: Code
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    name: Name
    tax_id: TaxId | None = None
    contacts: Annotated[list[ContactInput], Field(max_length=50)] = []
    is_isp: bool = False
    special_negotiation: Annotated[str, StringConstraints(max_length=500)] | None = None
    assigned_agent: Code | None = None
    contract: ContractInput = ContractInput()
    services: Annotated[list[ServiceInput], Field(max_length=100)] = []


class CustomerChange(Input):
    """What is to be changed; what is left out stays. `services` are changed or added by their codes, with their plans and prices from today
    on; one ends by its `active_to`."""

    model_config = example(name="Cafetería El Carmen, S. de R.L.", contacts=[CONTACT])
    name: Name = Field(default_factory=str)  # no default is shown: an empty name may not be sent
    tax_id: TaxId | None = None
    contacts: Annotated[list[ContactInput], Field(max_length=50)] = []
    is_isp: bool = False
    special_negotiation: Annotated[str, StringConstraints(max_length=500)] | None = None
    contract: ContractInput = ContractInput()
    services: Annotated[list[ServiceInput], Field(max_length=100)] = []


class ServiceShown(BaseModel):
    """A service sold; `monthly_amount` is before tax."""

    id: UUID
    code: str
    plan_code: str
    plan_kind: str
    delivery: str
    network_login: str | None
    access_node: str | None
    monthly_amount: Amount
    active_from: date
    active_to: date | None


class ContractShown(BaseModel):
    """The contract that the services stand on."""

    number: str | None
    kind: str | None
    start_date: date | None
    end_date: date | None


class CustomerListed(BaseModel):
    """A customer in a list."""

    model_config = example(
        id="019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51",
        external_source="crm",
        external_id="C-10001",
        name="Cafetería El Carmen",
        policy="residencial",
        assigned_agent="ana.martinez",
        version=1,
    )
    id: UUID
    external_source: str
    external_id: str
    name: str
    policy: str
    assigned_agent: str | None
    version: int


class CustomerShown(CustomerListed):
    """A customer with its contract and services. `version` is the ETag; `last_billed` is the last month that its source billed."""

    model_config = example(
        id="019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51",
        external_source="crm",
        external_id="C-10001",
        name="Cafetería El Carmen",
        policy="residencial",
        assigned_agent="ana.martinez",
        version=1,
        tax_id="05012024252421",
        contacts=[CONTACT],
        is_isp=False,
        special_negotiation=None,
        opening_status="ACTIVO",
        last_billed="2026-02",
        contract={"number": "CT-10001", "kind": None, "start_date": "2024-08-10", "end_date": None},
        services=[
            {
                "id": "019d2f6e-2f0c-7c7a-9a35-0a8b0f6f4b52",
                "plan_kind": "business",
                "monthly_amount": "129.0000",
                "network_login": None,
                "active_to": None,
                **SERVICE,
            }
        ],
        monthly_total={"amount": "129.0000", "currency": "USD"},
    )
    tax_id: str | None
    contacts: list[dict[str, Any]]
    is_isp: bool
    special_negotiation: str | None
    opening_status: str | None
    last_billed: str | None
    contract: ContractShown | None
    services: list[ServiceShown]
    monthly_total: MoneyShown


class HistoryShown(BaseModel):
    """A change: each field with its old and its new value."""

    model_config = example(
        version=2, changed_at="2026-03-04T15:20:00Z", changed_by="ines.reyes", changes={"name": ["Cafetería El Carmen", "El Carmen"]}
    )
    version: int
    changed_at: datetime
    changed_by: str
    changes: dict[str, Any]
