"""operator.yaml, rules.yaml and catalog/: who the operator is, who works there, what it sells, and the rules it quotes."""

from datetime import date, time
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from shared.operator.base import Code, Document, Login, Text

Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Amount = Annotated[Decimal, Field(max_digits=18, decimal_places=4, ge=0)]


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"zona horaria desconocida: {value}")
    return value


class Desk(Document):
    """A desk of the procedures; tickets are assigned and mails are sent to it, so it has an address."""

    code: Code
    name: Text
    email: Email


class Person(Document):
    """Somebody who works at some desks. `person` is how tokens and portfolios name them."""

    person: Login
    name: Text
    desks: list[Code] = Field(min_length=1)
    email: Email


class WorkingHours(Document):
    """The hours of a business day, in the operator's time zone."""

    opens: time
    closes: time


class OwnDay(Document):
    """A day that the operator itself makes a holiday, or works although the country rests."""

    date: date
    name: Text
    works: bool = False


class BillingRun(Document):
    """When the month's run starts: day of the month and hour, in the operator's time zone."""

    day: int = Field(ge=1, le=28)
    at: time


class Company(Document):
    """operator.yaml."""

    code: Code
    name: Text
    legal_name: Text
    tax_id: Text
    address: Text
    phone: Text
    website: str = ""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    time_zone: Annotated[str, AfterValidator(_known_zone)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    locale: Text
    money_pattern: Text = "¤#,##0.00"
    weekend: list[int] = Field(description="días de descanso: 0 es lunes, 6 es domingo")
    working_hours: WorkingHours
    own_days: list[OwnDay] = []
    default_policy: Code
    mail_from: Email
    billing_run: BillingRun
    desks: list[Desk] = Field(min_length=1)
    permissions: dict[str, list[Code]]
    people: list[Person] = Field(min_length=1)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Tax(Document):
    """A tax: `rate` is a fraction (0.15 is 15 %)."""

    code: Code
    name: Text
    rate: Annotated[Decimal, Field(ge=0, lt=1, decimal_places=4)]


class Plan(Document):
    """What is sold per month. `monthly_amount` is before tax, in the operator's currency."""

    code: Code
    name: Text
    kind: Code
    monthly_amount: Amount
    tax: Code


class FiscalSeries(Document):
    """An authorised range of invoice numbers. `expires` is the last day on which it may be used."""

    code: Code
    prefix: Text
    digits: int = Field(ge=1, le=12)
    from_number: int = Field(ge=1)
    to_number: int = Field(ge=1)
    expires: date
    authorization_code: Text


class Rule(Document):
    """A rule of the operator's documents, as refusals and explanations quote it. `choice`: what the document leaves open."""

    id: Annotated[str, Field(pattern=r"^[A-Z]+-\d+$")]
    text: Text
    page: str
    built: bool
    choice: str | None = None


class Plans(Document):
    """catalog/plans.yaml."""

    plans: list[Plan]


class Taxes(Document):
    """catalog/taxes.yaml."""

    taxes: list[Tax]


class FiscalSeriesFile(Document):
    """catalog/fiscal_series.yaml."""

    fiscal_series: list[FiscalSeries]


class Rules(Document):
    """rules.yaml."""

    rules: list[Rule]
