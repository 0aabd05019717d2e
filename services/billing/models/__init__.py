"""Billing's tables."""

from services.billing.models.base import Table
from services.billing.models.customers import Agreement, Contract, Customer, CustomerHistory, PlanChange, Service
from services.billing.models.imports import ImportBatch, ImportFault, ImportMissing, StagedCustomer
from services.billing.models.invoices import CreditNote, CreditNoteLine, Dispute, FiscalSeries, Invoice, InvoiceLine
from services.billing.models.payments import Payment, PaymentAllocation, Posting, Refund
from services.billing.models.runs import BillingChunk, BillingRun, PlannedInvoice

__all__ = [
    "Agreement",
    "BillingChunk",
    "BillingRun",
    "Contract",
    "CreditNote",
    "CreditNoteLine",
    "Customer",
    "CustomerHistory",
    "Dispute",
    "FiscalSeries",
    "ImportBatch",
    "ImportFault",
    "ImportMissing",
    "Invoice",
    "InvoiceLine",
    "Payment",
    "PaymentAllocation",
    "PlanChange",
    "PlannedInvoice",
    "Posting",
    "Refund",
    "Service",
    "StagedCustomer",
    "Table",
]
