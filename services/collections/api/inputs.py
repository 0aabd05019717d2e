"""Values that several commands take."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, StringConstraints
from pydantic.config import JsonDict

from shared.money import PositiveAmount
from shared.web import Input

Words = Annotated[str, StringConstraints(min_length=3, max_length=2000)]  # what somebody said or decided, in a sentence
FIRST_YEAR, LAST_YEAR = 2000, 2199
EXAMPLE_MONEY: JsonDict = {"amount": "460.00", "currency": "USD"}


def _in_utc(instant: datetime) -> datetime:
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise ValueError(f"el año debe estar entre {FIRST_YEAR} y {LAST_YEAR}")
    return instant.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]  # given with its offset, such as 2026-03-20T17:00:00-06:00


class MoneyInput(Input):
    """An amount with its currency; the amount as text, so that no float touches it."""

    amount: PositiveAmount
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]

    model_config = {"json_schema_extra": {"examples": [EXAMPLE_MONEY]}}
