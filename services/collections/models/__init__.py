"""Collections's tables."""

from services.collections.models.accounts import (
    Account,
    AccountReview,
    Deduction,
    Fee,
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
from services.collections.models.cuts import Notice, Restriction, Suspension
from services.collections.models.figures import FigureReport
from services.collections.models.happenings import Dossier, Happening
from services.collections.models.past import Past
from services.collections.models.people import (
    Contact,
    ContactKind,
    Distribution,
    DistributionMove,
    PortfolioChange,
    PortfolioCover,
    SegmentChange,
    SegmentList,
    SegmentListRow,
)
from services.collections.models.planning import CutApproval, CutSimulation, Hold, PolicyInForce, SimulatedStep

__all__ = [
    "Account",
    "AccountReview",
    "Contact",
    "ContactKind",
    "CutApproval",
    "CutSimulation",
    "Deduction",
    "Distribution",
    "DistributionMove",
    "Dossier",
    "Fee",
    "FigureReport",
    "Happening",
    "Hold",
    "Invoice",
    "ListedAccount",
    "Notice",
    "Outage",
    "Past",
    "Payment",
    "PaymentPart",
    "Plan",
    "PlanInstalment",
    "PolicyInForce",
    "PortfolioChange",
    "PortfolioCover",
    "Promise",
    "Reminder",
    "Restriction",
    "Review",
    "SegmentChange",
    "SegmentList",
    "SegmentListRow",
    "SimulatedStep",
    "StatusChange",
    "Suspension",
    "Table",
]
