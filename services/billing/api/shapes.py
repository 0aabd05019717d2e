"""Values that several of billing's routes take."""

from decimal import Decimal
from typing import Annotated

from pydantic import StringConstraints

from shared.errors import FieldError, Invalid
from shared.money import round_money
from shared.operator import Operator
from shared.web.shapes import MoneyInput

Code = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=100)]


def exact(money: MoneyInput, documents: Operator, field: str = "amount") -> Decimal:
    """The amount, in the operator's currency and with no more decimals than that has. Raises Invalid."""
    errors = []
    if money.currency != documents.currency:
        errors.append(FieldError(field=f"{field}.currency", message=f"se factura en {documents.currency}"))
    if money.amount != round_money(money.amount, documents.money_digits):
        errors.append(FieldError(field=f"{field}.amount", message=f"tiene más decimales que la moneda {documents.currency}"))
    if errors:
        raise Invalid(f"Corrija: {', '.join(each.field for each in errors)}.", errors=errors)
    return money.amount
