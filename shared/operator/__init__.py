"""The operator's own documents as data: loaded once at start, immutable, complete or refused.

`load_operator(folder)` answers an Operator or raises OperatorError, whose text lists every mistake as `file:line: field: message`.
"""

from shared.operator.base import Document
from shared.operator.company import Company, Desk, FiscalSeries, Person, Plan, Rule, Tax
from shared.operator.forms import CaptureField
from shared.operator.loading import OperatorError, check_operator, load_operator
from shared.operator.notices import Notice, Receivers
from shared.operator.operator import Operator
from shared.operator.policies import AllowedFrom, Criterion, LateFee, Policy, Promises, Qualification, Reminder, Suspension
from shared.operator.procedures import Opening, Procedure
from shared.operator.steps import REQUESTER, Deadline, Outcome, Step

__all__ = [
    "REQUESTER",
    "AllowedFrom",
    "CaptureField",
    "Company",
    "Criterion",
    "Deadline",
    "Desk",
    "Document",
    "FiscalSeries",
    "LateFee",
    "Notice",
    "Opening",
    "Operator",
    "OperatorError",
    "Outcome",
    "Person",
    "Plan",
    "Policy",
    "Procedure",
    "Promises",
    "Qualification",
    "Receivers",
    "Reminder",
    "Rule",
    "Step",
    "Suspension",
    "Tax",
    "check_operator",
    "load_operator",
]
