"""Billing over HTTP."""

from services.billing.api import credit_notes, credits, customers, disputes, imports, invoices, payments, plans, runs

ROUTERS = (
    payments.router,
    customers.router,
    plans.router,
    credits.router,
    invoices.router,
    credit_notes.router,
    disputes.router,
    runs.router,
    imports.uploads,
    imports.router,
)
