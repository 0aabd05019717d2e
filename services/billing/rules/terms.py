"""What the operator's files say that rows are checked against: plans, people, policies, money."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.billing.rules.periods import due_date


@dataclass(frozen=True)
class PlanTerms:
    """What a plan of the catalogue brings along."""

    kind: str
    monthly_amount: Decimal


@dataclass(frozen=True)
class PolicyTerms:
    """What billing needs of a collections policy: its due day, and whether its customers are billed first (VIP-5)."""

    day_of_month: int | None
    days_after_issue: int | None
    first: bool = False

    def due(self, issued: date) -> date:
        """The last day in time for an invoice of that day."""
        return due_date(issued, day_of_month=self.day_of_month, days_after_issue=self.days_after_issue)


@dataclass(frozen=True)
class BookTerms:
    """What the operator's files say that rows are checked against; `digits` are the currency's decimal places, and `policy_with` tells
    the policy that knows a status's label (None when none does)."""

    currency: str
    digits: int
    plans: Mapping[str, PlanTerms]
    agents: frozenset[str]
    policies: Mapping[str, PolicyTerms]
    policy_with: Callable[[str | None], str | None]
    default_policy: str
