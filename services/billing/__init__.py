"""Billing: customers, contracts, services sold, invoices, payments and the ledger behind them.

Owns     customers and what they bought, imports of CRM and bank files, the monthly billing run, fiscal numbers, invoices, payments,
         postings.
Sends    CustomerRegistered, CustomerChanged, InvoiceIssued, InvoiceOverdue, InvoicePaid, InvoiceVoided, PaymentReported, PaymentConfirmed,
         PaymentRejected, PaymentAllocated, BillingRunCompleted (shared/events/billing.py).
Reacts   to SegmentChanged (the policy that gives the due date and who is billed first) and AgentAssigned.
"""
