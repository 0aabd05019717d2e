"""Values that several commands take."""

from typing import Annotated

from pydantic import AwareDatetime, StringConstraints
from pydantic.config import JsonDict

from shared.money import PositiveAmount
from shared.web import Input

Words = Annotated[str, StringConstraints(min_length=3, max_length=2000)]  # what somebody said or decided, in a sentence
Instant = AwareDatetime  # with its offset, such as 2026-03-20T17:00:00-06:00
EXAMPLE_MONEY: JsonDict = {"amount": "460.00", "currency": "USD"}


class MoneyInput(Input):
    """An amount with its currency; the amount as text, so that no float touches it."""

    amount: PositiveAmount
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]

    model_config = {"json_schema_extra": {"examples": [EXAMPLE_MONEY]}}
