"""Values that several of billing's routes take or show."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.money import Amount
from shared.web import Input

Code = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Words = Annotated[str, StringConstraints(min_length=3, max_length=2000)]  # a reason, in a sentence
Month = Annotated[str, StringConstraints(pattern=r"^[12]\d{3}-(0[1-9]|1[0-2])$")]  # 2026-03


def example(**values: Any) -> ConfigDict:
    """The configuration of a model with one example for the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class MoneyInput(Input):
    """An amount with its currency; the amount as text, so that no float touches it."""

    model_config = example(amount="460.00", currency="USD")
    amount: Amount
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class MoneyShown(BaseModel):
    """An amount with its currency."""

    model_config = example(amount="460.00", currency="USD")
    amount: Amount
    currency: str


def money(amount: Decimal, currency: str) -> MoneyShown:
    """An amount as the API shows it."""
    return MoneyShown(amount=amount, currency=currency)
