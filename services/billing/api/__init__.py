"""Billing over HTTP."""

from services.billing.api import customers, imports, invoices, payments, runs

ROUTERS = (payments.router, customers.router, invoices.router, runs.router, imports.uploads, imports.router)
