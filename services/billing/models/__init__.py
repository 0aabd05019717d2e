"""Billing's tables."""

from services.billing.models.base import Table
from services.billing.models.customers import Contract, Customer, CustomerHistory, Service
from services.billing.models.imports import ImportBatch, ImportFault, ImportMissing, StagedCustomer
from services.billing.models.invoices import FiscalSeries, Invoice, InvoiceLine
from services.billing.models.payments import Payment, PaymentAllocation, Posting
from services.billing.models.runs import BillingChunk, BillingRun, PlannedInvoice

__all__ = [
    "BillingChunk",
    "BillingRun",
    "Contract",
    "Customer",
    "CustomerHistory",
    "FiscalSeries",
    "ImportBatch",
    "ImportFault",
    "ImportMissing",
    "Invoice",
    "InvoiceLine",
    "Payment",
    "PaymentAllocation",
    "PlannedInvoice",
    "Posting",
    "Service",
    "StagedCustomer",
    "Table",
]
