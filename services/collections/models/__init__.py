"""Collections's tables."""

from services.collections.models.accounts import (
    Account,
    AccountReview,
    Invoice,
    ListedAccount,
    Outage,
    Payment,
    PaymentPart,
    Reminder,
    StatusChange,
)
from services.collections.models.agreements import Plan, PlanInstalment, Promise, Review
from services.collections.models.base import Table
from services.collections.models.cuts import Notice, Suspension
from services.collections.models.happenings import Dossier, Happening
from services.collections.models.people import Contact, ContactKind, PortfolioChange, SegmentChange, SegmentList, SegmentListRow

__all__ = [
    "Account",
    "AccountReview",
    "Contact",
    "ContactKind",
    "Dossier",
    "Happening",
    "Invoice",
    "ListedAccount",
    "Notice",
    "Outage",
    "Payment",
    "PaymentPart",
    "Plan",
    "PlanInstalment",
    "PortfolioChange",
    "Promise",
    "Reminder",
    "Review",
    "SegmentChange",
    "SegmentList",
    "SegmentListRow",
    "StatusChange",
    "Suspension",
    "Table",
]
