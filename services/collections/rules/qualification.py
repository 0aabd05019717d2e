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
    return [Finding(each.code, each.text, *_judge(operator, each, profile)) for each in operator.qualification.any_of]


def qualifies(operator: Operator, profile: Profile) -> bool:
    """Does any criterion hold?"""
    return any(each.holds for each in findings(operator, profile))


def _judge(operator: Operator, criterion: Criterion, profile: Profile) -> tuple[bool, str]:
    if criterion.plan_kinds is not None:
        return _plans(operator, criterion.plan_kinds, profile)
    if criterion.is_isp:
        return profile.is_isp, "Está registrado como ISP." if profile.is_isp else "No está registrado como ISP."
    if criterion.monthly_amount_above is not None:
        return _amount(operator, criterion.monthly_amount_above, profile)
    agreed = (profile.special_negotiation or "").strip()
    return bool(agreed), f"Negociación especial: {agreed}" if agreed else "No tiene una negociación especial registrada."


def _plans(operator: Operator, kinds: Sequence[str], profile: Profile) -> tuple[bool, str]:
    if not profile.services:
        return False, "No tiene servicios contratados."
    right = [code for code, kind in profile.services if kind in kinds]
    names = [_plan_name(operator, code) for code in (right or [code for code, _ in profile.services])]
    return bool(right), f"Tiene {listed(sorted(set(names)))}."


def _plan_name(operator: Operator, code: str) -> str:
    return next((each.name for each in operator.plans if each.code == code), code)


def _amount(operator: Operator, limit: Decimal, profile: Profile) -> tuple[bool, str]:
    paid = money(operator, profile.monthly_amount, profile.currency)
    if profile.currency != operator.currency:
        return False, f"Paga {paid} por mes, en otra moneda que el límite de {money(operator, limit)}."
    if profile.monthly_amount > limit:
        return True, f"Paga {paid} por mes, más de {money(operator, limit)}."
    return False, f"Paga {paid} por mes; el límite es {money(operator, limit)}."
