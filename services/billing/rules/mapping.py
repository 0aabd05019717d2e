"""The mapping file: which columns of somebody else's CSV mean what to us.

A book of customers, each value a column's name, or a `Cell` where more is to be said:

    source: crm                                    # with external_id the key of every customer, for ever
    as_of: 2026-02-28                              # optional: the day of the export
    customer: {external_id: Código, name: Nombre, tax_id: RTN, agent: {column: Gestor, convert: {Ana: ana.martinez}}}
    contract: {start: Inicio, end: Fin}            # or months_elapsed, term_months
    contacts: [{name: Contacto, email: Correo, phone: Teléfono}]
    services:
      - {code: {constant: internet}, plan: {column: Plan, convert: {Fiber optic: hogar_200}}, amount: Mensualidad}
    opening: {status: Estado, last_billed: Último mes, balance: Saldo}

A bank's file of payments says `kind: payments` and has a part `payment` instead. Column names are compared without case, accents and stray
blanks, and a name that occurs again in the file is `Name#2`. How the file is written (`encoding`, `delimiter`, `decimal`, `dates`, …) is
found out or said at the top: `FileShape`. Samples lie in deploy/operators/*/books/*.mapping.yaml; `schemas()` are the JSON Schemas.
"""

import codecs
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from shared.operator.base import Document

YES = ("si", "sí", "s", "yes", "y", "true", "verdadero", "1", "x")
NO = ("no", "n", "false", "falso", "0", "")


class MappingPart(Document):
    """A part of the mapping file; a field that we do not know is a mistake, never ignored."""


def _as_text(value: Any) -> Any:
    """Words are text, also those that look like something else in YAML or JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float | date) else value


Text = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | bool | float)]


class Cell(MappingPart):
    """Where one value comes from: a column (of several the first that is not blank), a constant, or a template such as `{City} {ZipCode}`.

    `convert` puts our words for theirs (an empty one means *nothing*); a word that is not listed is an error of its row, unless `otherwise`
    says `keep` or gives the word to use. `default` stands in for a blank.
    """

    column: str | list[str] | None = None
    constant: Text | None = None
    template: str | None = None
    convert: dict[Text, Text | None] | None = None
    otherwise: Text | None = None
    default: Text | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(each is not None for each in (self.column, self.constant, self.template)) != 1:
            raise ValueError("indique exactamente uno de `column`, `constant` o `template`")
        if self.otherwise is not None and self.convert is None:
            raise ValueError("`otherwise` solo tiene sentido junto a `convert`")
        return self

    @field_validator("convert", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return {_as_text(key): word for key, word in value.items()} if isinstance(value, dict) else value


def _as_cell(value: Any) -> Any:
    return {"column": value} if isinstance(value, str | list) else value


Source = Annotated[Cell, BeforeValidator(_as_cell, json_schema_input_type=str | list[str] | Cell)]


class When(MappingPart):
    """A block counts only for rows whose column holds (or does not hold) one of these words."""

    column: str
    any_of: list[Text] = Field(default=[], alias="in")
    none_of: list[Text] = Field(default=[], alias="not_in")

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if bool(self.any_of) == bool(self.none_of):
            raise ValueError("indique exactamente uno de `in` o `not_in`")
        return self


class CustomerPart(MappingPart):
    """Who the customer is. `external_id` is its key in the source, for ever; `tax_id` its number at the tax authority (RTN, NIT, RIF)."""

    external_id: Source
    name: Source
    tax_id: Source | None = None
    is_isp: Source | None = None
    special_negotiation: Source | None = None
    agent: Source | None = None
    currency: Source | None = None


class ContractPart(MappingPart):
    """The contract: its start, or the months that it has been in force (counted back from `as_of`); its end, or its term in months."""

    number: Source | None = None
    kind: Source | None = None
    start: Source | None = None
    months_elapsed: Source | None = None
    end: Source | None = None
    term_months: Source | None = None


class ContactPart(MappingPart):
    """Somebody at the customer's. The block is absent for a row without name, e-mail and phone."""

    name: Source | None = None
    role: Source = Cell(constant="principal")
    email: Source | None = None
    phone: Source | None = None


class ServicePart(MappingPart):
    """A service sold. The block is absent for a row without plan. Without `amount` the plan's price is billed. `code` tells the services of
    one customer apart; without one it is the block's place in this file."""

    code: Source | None = None
    plan: Source
    amount: Source | None = None
    delivery: Source = Cell(constant="own")
    login: Source | None = None
    node: Source | None = None
    active_from: Source | None = None
    active_to: Source | None = None
    when: When | None = None


class OpeningInvoicePart(MappingPart):
    """An invoice that the customer still owes from the time before us. The block is absent for a row without balance and amount."""

    number: Source | None = None
    period: Source | None = None
    issue_date: Source | None = None
    due_date: Source | None = None
    amount: Source | None = None
    balance: Source | None = None


class OpeningPart(MappingPart):
    """How the customer stood when it came to us; taken once, when the customer is new. `balance` is for sources that know no invoices."""

    status: Source | None = None
    last_billed: Source | None = None
    balance: Source | None = None
    invoices: list[OpeningInvoicePart] = []


class PaymentPart(MappingPart):
    """A payment in a bank's file: whose it is (customer or invoice), how much, when, and the bank's own reference."""

    reference: Source
    amount: Source
    date: Source
    customer: Source | None = None
    invoice: Source | None = None
    channel: Source = Cell(constant="banco")
    currency: Source | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.customer is None and self.invoice is None:
            raise ValueError("indique `customer` o `invoice`: sin ninguno no se sabe de quién es el pago")
        return self


class FileShape(MappingPart):
    """How the file is written. `auto` looks at the file itself; `columns` names those of a file that has no header."""

    source: str = Field(min_length=1, max_length=60)
    encoding: str = "auto"
    delimiter: Literal["auto", ",", ";", "tab", "|"] = "auto"
    columns: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    dates: tuple[str, ...] = ("%Y-%m-%d", "%d/%m/%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
    months: tuple[str, ...] = ("%Y-%m", "%m/%Y", "%Y%m")
    yes: tuple[Text, ...] = YES
    no: tuple[Text, ...] = NO
    blanks: tuple[Text, ...] = ("-", "N/A", "NULL", "null")
    as_of: date | None = None

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            return value if value == "auto" else codecs.lookup(value).name
        except LookupError:
            raise ValueError(f"codificación desconocida: {value}") from None


class CustomerMapping(FileShape):
    """A mapping for a book of customers. With `one_row_per: service` the rows of one customer are put together; `fill_down` names the
    columns that some exports fill in a customer's first row alone: a row in which all of them are blank goes on with the one above."""

    kind: Literal["customers"] = "customers"
    one_row_per: Literal["customer", "service"] = "customer"
    fill_down: tuple[str, ...] = ()
    customer: CustomerPart
    contract: ContractPart = ContractPart()
    contacts: list[ContactPart] = []
    services: list[ServicePart] = []
    opening: OpeningPart = OpeningPart()

    @model_validator(mode="after")
    def _codes(self) -> Self:
        if self.one_row_per == "service" and any(each.code is None for each in self.services):
            raise ValueError("con `one_row_per: service` cada servicio necesita `code`")
        if self.fill_down and self.one_row_per != "service":
            raise ValueError("`fill_down` solo tiene sentido con `one_row_per: service`")
        if self.contract.months_elapsed is not None and self.as_of is None:
            raise ValueError("`contract.months_elapsed` necesita `as_of`: la fecha desde la que se cuentan los meses hacia atrás")
        return self


class PaymentMapping(FileShape):
    """A mapping for a bank's file of payments. `customer_source` is the source that its customer ids belong to."""

    kind: Literal["payments"]
    customer_source: str | None = None
    payment: PaymentPart


Mapping = CustomerMapping | PaymentMapping


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each kind of mapping, for editors: file name → schema."""
    return {"customer_mapping": CustomerMapping.model_json_schema(), "payment_mapping": PaymentMapping.model_json_schema()}
