"""Collections's tables."""

from services.collections.models.base import Table
from services.collections.models.people import Contact, ContactKind, PortfolioChange, RowOutcome, SegmentChange, SegmentList, SegmentListRow

__all__ = [
    "Contact",
    "ContactKind",
    "PortfolioChange",
    "RowOutcome",
    "SegmentChange",
    "SegmentList",
    "SegmentListRow",
    "Table",
]
