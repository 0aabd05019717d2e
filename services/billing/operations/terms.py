"""From the operator's files to what billing's rules need of them."""

from functools import lru_cache

from services.billing.rules.terms import BookTerms, PlanTerms, PolicyTerms
from shared.operator import Operator


def policy_terms(operator: Operator) -> dict[str, PolicyTerms]:
    """Every collections policy as billing sees it."""
    return {
        code: PolicyTerms(
            day_of_month=policy.due.day_of_month,
            days_after_issue=policy.due.days_after_issue,
            first=policy.invoice.first,
        )
        for code, policy in operator.policies.items()
    }


def book_terms(operator: Operator) -> BookTerms:
    """What the rows of a book are checked against."""
    return BookTerms(
        currency=operator.currency,
        digits=operator.money_digits,
        plans={plan.code: PlanTerms(plan.kind, plan.monthly_amount) for plan in operator.plans},
        agents=frozenset(each.person for each in operator.people),
        policies=policy_terms(operator),
        policy_with=lru_cache(maxsize=1_000)(operator.policy_with),
        default_policy=operator.default_policy,
    )
