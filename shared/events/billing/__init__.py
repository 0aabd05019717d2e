"""What billing tells: customers, invoices, payments. Topic `billing.events`, key = customer id."""

from shared.events.billing.customers import (
    AgreementRefused,
    Contact,
    CustomerChanged,
    CustomerRegistered,
    CustomerState,
    ServicePlanChanged,
    ServiceSold,
)
from shared.events.billing.invoices import (
    BillingRunCompleted,
    CreditNoteIssued,
    DisputeOpened,
    DisputeResolved,
    FreedPart,
    InvoiceIssued,
    InvoiceLine,
    InvoiceOverdue,
    InvoicePaid,
    InvoiceVoided,
)
from shared.events.billing.payments import (
    Allocation,
    CreditRefunded,
    PaymentAllocated,
    PaymentConfirmed,
    PaymentRejected,
    PaymentReported,
    PaymentReversed,
)

__all__ = [
    "AgreementRefused",
    "Allocation",
    "BillingRunCompleted",
    "Contact",
    "CreditNoteIssued",
    "CreditRefunded",
    "CustomerChanged",
    "CustomerRegistered",
    "CustomerState",
    "DisputeOpened",
    "DisputeResolved",
    "FreedPart",
    "InvoiceIssued",
    "InvoiceLine",
    "InvoiceOverdue",
    "InvoicePaid",
    "InvoiceVoided",
    "PaymentAllocated",
    "PaymentConfirmed",
    "PaymentRejected",
    "PaymentReported",
    "PaymentReversed",
    "ServicePlanChanged",
    "ServiceSold",
]
