"""Values that routes of several services take or show, each with one shape."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.money import Amount, PositiveAmount
from shared.web.paging import Input

Month = Annotated[str, StringConstraints(pattern=r"^[12]\d{3}-(0[1-9]|1[0-2])$")]  # 2026-03
Words = Annotated[str, StringConstraints(min_length=3, max_length=2000)]  # a reason, or what somebody said, in a sentence


def example(**values: Any) -> ConfigDict:
    """The configuration of a model with one example for the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class MoneyInput(Input):
    """An amount above zero with its currency; the amount as text, so that no float touches it."""

    model_config = example(amount="460.00", currency="USD")
    amount: PositiveAmount
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class MoneyShown(BaseModel):
    """An amount with its currency."""

    model_config = example(amount="460.00", currency="USD")
    amount: Amount
    currency: str


def money(amount: Decimal, currency: str) -> MoneyShown:
    """An amount as the API shows it."""
    return MoneyShown(amount=amount, currency=currency)
