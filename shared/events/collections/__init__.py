"""What collections tells: segment and status, promises, plans, notices, the orders to cut and to reconnect.
Topic `collections.events`, key = customer id."""

from shared.events.collections.accounts import (
    AgentAssigned,
    ContactRecorded,
    FeeDue,
    InvoiceDispatchRequested,
    ReminderRequested,
    SegmentChanged,
    StatusChanged,
)
from shared.events.collections.agreements import (
    HoldEnded,
    HoldPlaced,
    Instalment,
    PaymentPlanAgreed,
    PaymentPlanBroken,
    PaymentPlanCompleted,
    PaymentPlanLapsed,
    PromiseBroken,
    PromiseKept,
    PromiseLapsed,
    PromiseMade,
    ReviewClosed,
    ReviewOpened,
)
from shared.events.collections.orders import (
    ReconnectionRequested,
    RecoveryRequested,
    SuspensionNoticeRequested,
    SuspensionRequested,
    SuspensionWithdrawn,
)

__all__ = [
    "AgentAssigned",
    "ContactRecorded",
    "FeeDue",
    "HoldEnded",
    "HoldPlaced",
    "Instalment",
    "InvoiceDispatchRequested",
    "PaymentPlanAgreed",
    "PaymentPlanBroken",
    "PaymentPlanCompleted",
    "PaymentPlanLapsed",
    "PromiseBroken",
    "PromiseKept",
    "PromiseLapsed",
    "PromiseMade",
    "ReconnectionRequested",
    "RecoveryRequested",
    "ReminderRequested",
    "ReviewClosed",
    "ReviewOpened",
    "SegmentChanged",
    "StatusChanged",
    "SuspensionNoticeRequested",
    "SuspensionRequested",
    "SuspensionWithdrawn",
]
