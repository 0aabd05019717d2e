"""Billing: customers, contracts, services sold, invoices, payments and the ledger behind them.

Owns     customers and what they bought, imports of CRM and bank files, the monthly billing run, fiscal numbers, invoices, credit notes,
         disputes, payments, refunds, postings, changes of plan.
Sends    everything in shared/events/billing/.
Reacts   to SegmentChanged (the policy that gives the due date and who is billed first), AgentAssigned, FeeDue (a fee's invoice) and
         AgreementReached (a plan that was agreed on in a ticket).
"""
