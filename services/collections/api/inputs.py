"""Values that several commands take."""

from typing import Annotated

from pydantic import AwareDatetime, StringConstraints
from pydantic.config import JsonDict

from shared.errors import FieldError, Invalid
from shared.money import PositiveAmount, round_money
from shared.operator import Operator
from shared.web import Input

Words = Annotated[str, StringConstraints(min_length=3, max_length=2000)]  # what somebody said or decided, in a sentence
Instant = AwareDatetime  # with its offset, such as 2026-03-20T17:00:00-06:00
EXAMPLE_MONEY: JsonDict = {"amount": "460.00", "currency": "USD"}


class MoneyInput(Input):
    """An amount with its currency; the amount as text, so that no float touches it."""

    amount: PositiveAmount
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]

    model_config = {"json_schema_extra": {"examples": [EXAMPLE_MONEY]}}


def check_money(documents: Operator, field: str, *given: MoneyInput) -> None:
    """Raise Invalid for another currency than the operator's and for parts of a cent. `field` names the amount; several are numbered."""
    errors = []
    for at, each in enumerate(given):
        name = field if len(given) == 1 and "{}" not in field else field.format(at)
        if each.currency != documents.currency:
            errors.append(FieldError(field=f"{name}.currency", message=f"se cobra en {documents.currency}, no en {each.currency}"))
        elif each.amount != round_money(each.amount, documents.money_digits):
            message = f"{documents.currency} tiene {documents.money_digits} decimales"
            errors.append(FieldError(field=f"{name}.amount", message=message))
    if errors:
        names = ", ".join(each.field for each in errors)
        raise Invalid(f"Corrija: {names}.", errors=errors, remedy=f"No se guardó nada; escriba importes en {documents.currency}.")
