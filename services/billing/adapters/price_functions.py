"""The operator's own price functions: Python that is installed beside us, named in catalog/plans.yaml (`price: package.module:function`).

It runs inside the billing run with all its rights: whoever may install packages may already do anything.
"""

from importlib import import_module

from services.billing.rules.prices import Price
from shared.operator import Operator


class NoSuchPrice(Exception):
    """A plan names a function that is not there; the text (Spanish) says which."""


def price_functions(operator: Operator) -> dict[str, Price]:
    """The function of every plan that names one. Raises NoSuchPrice."""
    return {plan.code: price_function(plan.code, plan.price) for plan in operator.plans if plan.price}


def price_function(code: str, name: str) -> Price:
    """The function of one plan. Raises NoSuchPrice."""
    module, _, function = name.partition(":")
    try:
        found: Price = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise NoSuchPrice(f"El plan {code} nombra la función de precio «{name}», que no está instalada: {error}") from None
    if not callable(found):
        raise NoSuchPrice(f"El plan {code} nombra «{name}», que no es una función.")
    return found
