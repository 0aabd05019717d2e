"""Billing over HTTP."""

from services.billing.api import customers, imports, invoices, payments, runs

ROUTERS = (customers.router, imports.uploads, imports.router, runs.router, invoices.router, payments.router)
