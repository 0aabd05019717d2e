"""Who belongs to the segment that the operator's `qualification.yaml` describes (VIP-1): a pure function that says why."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.collections.rules.wording import listed, money
from shared.operator import Criterion, Operator


@dataclass(frozen=True)
class Profile:
    """What qualification looks at. `services` are the plans sold at present (code and kind); `monthly_amount` is their sum, before tax."""

    services: Sequence[tuple[str, str]]
    monthly_amount: Decimal
    currency: str
    is_isp: bool = False
    special_negotiation: str | None = None


@dataclass(frozen=True)
class Finding:
    """One criterion of the operator held against one customer: whether it holds, and the fact that decides it (Spanish)."""

    code: str
    text: str
    holds: bool
    fact: str


def findings(operator: Operator, profile: Profile) -> list[Finding]:
    """Every criterion, in the order of the operator's file; any one that holds suffices."""
    found = []
    for each in operator.qualification.any_of:
        holding = _holds(operator, each, profile)
        found.append(Finding(each.code, each.text, holding, _fact(operator, each, profile, holding)))
    return found


def qualifies(operator: Operator, profile: Profile) -> bool:
    """Does any criterion hold?"""
    return any(_holds(operator, each, profile) for each in operator.qualification.any_of)


def _holds(operator: Operator, criterion: Criterion, profile: Profile) -> bool:
    if criterion.plan_kinds is not None:
        return any(kind in criterion.plan_kinds for _, kind in profile.services)
    if criterion.is_isp:
        return profile.is_isp
    if criterion.monthly_amount_above is not None:
        return profile.currency == operator.currency and profile.monthly_amount > criterion.monthly_amount_above
    return bool((profile.special_negotiation or "").strip())


def _fact(operator: Operator, criterion: Criterion, profile: Profile, holding: bool) -> str:
    """What decides the criterion, in words."""
    if criterion.plan_kinds is not None:
        return _plans(operator, [code for code, kind in profile.services if kind in criterion.plan_kinds or not holding])
    if criterion.is_isp:
        return "Está registrado como ISP." if holding else "No está registrado como ISP."
    if criterion.monthly_amount_above is not None:
        return _amount(operator, criterion.monthly_amount_above, profile, holding)
    return f"Negociación especial: {profile.special_negotiation}" if holding else "No tiene una negociación especial registrada."


def _plans(operator: Operator, codes: Sequence[str]) -> str:
    names = {each.code: each.name for each in operator.plans}
    return f"Tiene {listed(sorted({names.get(code, code) for code in codes}))}." if codes else "No tiene servicios contratados."


def _amount(operator: Operator, limit: Decimal, profile: Profile, holding: bool) -> str:
    paid = money(operator, profile.monthly_amount, profile.currency)
    if profile.currency != operator.currency:
        return f"Paga {paid} por mes, en otra moneda que el límite de {money(operator, limit)}."
    return f"Paga {paid} por mes, {'más de' if holding else 'y el límite es'} {money(operator, limit)}."
