"""operator.yaml, rules.yaml and catalog/: who the operator is, who works there, what it sells, and the rules it quotes."""

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from babel.core import Locale, UnknownLocaleError
from babel.numbers import list_currencies
from holidays import list_supported_countries
from pydantic import AfterValidator, Field, model_validator

from shared.operator.base import Code, Document, Login, Text, shaped

Email = Annotated[str, *shaped(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "no es una dirección de correo")]
Weekday = Annotated[int, Field(ge=0, le=6)]
Amount = Annotated[Decimal, Field(max_digits=18, decimal_places=4, ge=0)]


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"zona horaria desconocida: {value}")
    return value


def _known_country(value: str) -> str:
    if value not in list_supported_countries():
        raise ValueError(f"no se conocen los feriados de este país: {value}")
    return value


def _known_currency(value: str) -> str:
    if value not in list_currencies():
        raise ValueError(f"moneda desconocida: {value}")
    return value


def _known_locale(value: str) -> str:
    try:
        return str(Locale.parse(value))
    except (UnknownLocaleError, ValueError):
        raise ValueError(f"idioma y país desconocidos: {value}; se espera por ejemplo es_HN") from None


def _pattern(value: str) -> str:
    if not re.fullmatch(r"[^#0,.;]*#,##0(\.0+)?[^#0,.;]*", value):
        raise ValueError("no es una forma de escribir importes; se espera por ejemplo $#,##0.00")
    return value


# What `payment_order` sorts open invoices by (services/billing/rules/allocation.py).
PaymentOrder = Literal["named", "oldest", "newest", "fees_first", "fees_last"]


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

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.closes <= self.opens:
            raise ValueError("`closes` debe ser después de `opens`")
        return self


class OwnDay(Document):
    """A day that the operator itself makes a holiday, or works although the country rests."""

    date: date
    name: Text
    works: bool = False


class BillingRun(Document):
    """When the month's run starts: day of the month and hour, in the operator's time zone."""

    day: int = Field(ge=1, le=28)
    at: time


class NightlyAudit(Document):
    """At what hour, in the operator's time zone, each service looks every night whether its own database is sound."""

    at: time = time(3)


def _readable(value: str) -> str:
    """White letters on the colour must be readable: WCAG's contrast of 4.5."""
    shares = [int(value[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    if 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) < 4.5:
        raise ValueError(f"{value} es demasiado claro: sobre él se escribe con letras blancas")
    return value


class Brand(Document):
    """How the operator's mails look: its colour, and its logo, a PNG of its `templates` folder that is shown `logo_width` pixels wide."""

    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$"), AfterValidator(_readable)] = "#14213d"
    logo: Annotated[str, *shaped(r"^[A-Za-z0-9_-]+\.png$", "no es el nombre de un PNG")] | None = None
    logo_width: int = Field(default=160, ge=40, le=400)


class Company(Document):
    """operator.yaml."""

    code: Code
    name: Text
    legal_name: Text
    tax_id: Text
    address: Text
    phone: Text
    website: str = ""
    brand: Brand = Brand()
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$"), AfterValidator(_known_country)]
    time_zone: Annotated[str, AfterValidator(_known_zone)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$"), AfterValidator(_known_currency)]
    locale: Annotated[str, AfterValidator(_known_locale)]
    money_pattern: Annotated[str, AfterValidator(_pattern)] = "¤#,##0.00"
    weekend: list[Weekday] = Field(max_length=6, description="días de descanso: 0 es lunes, 6 es domingo")
    working_hours: WorkingHours
    own_days: list[OwnDay] = []
    default_policy: Code
    mail_from: Email
    billing_run: BillingRun
    audit: NightlyAudit = Field(default=NightlyAudit(), description="a qué hora de la noche se revisan las bases")
    payment_order: list[PaymentOrder] = Field(
        default=["named", "oldest"],
        min_length=1,
        max_length=5,
        description="a qué facturas va un pago: named, la que se nombró al reportarlo; oldest, la que venció antes; lo disputado, al final",
    )
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
    """What is sold per month. `monthly_amount` is before tax, in the operator's currency. `price` names an installed Python function,
    `package.module:function`, that tells what a service of this plan costs in a month (services/billing/rules/prices.py)."""

    code: Code
    name: Text
    kind: Code
    monthly_amount: Amount
    tax: Code
    price: Annotated[str, *shaped(r"^\w+(\.\w+)*:\w+$", "no nombra una función; se espera paquete.modulo:funcion")] | None = None


class Fee(Document):
    """What a fee is called on its invoice, and its tax; its amount and when it is due stand in the policies."""

    kind: Literal["late", "reconnection"]
    name: Text
    tax: Code


class FiscalSeries(Document):
    """An authorised range of numbers for one kind of document. `expires` is the last day on which it may be used."""

    code: Code
    document: Literal["invoice", "credit_note"] = "invoice"
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
    fees: list[Fee] = Field(default=[], max_length=2)


class Taxes(Document):
    """catalog/taxes.yaml."""

    taxes: list[Tax]


class FiscalSeriesFile(Document):
    """catalog/fiscal_series.yaml."""

    fiscal_series: list[FiscalSeries]


class Rules(Document):
    """rules.yaml."""

    rules: list[Rule]
