"""Collections: who owes, what was agreed, and whether a service is cut or reconnected.

Owns     accounts (customers as billing tells them, with policy, agent and the cached status), promises, payment plans, reviews, notices,
         orders to restrict, to cut and to reconnect, contacts, the lists of Sales, portfolios.
Sends    SegmentChanged, AgentAssigned, StatusChanged, InvoiceDispatchRequested, ReminderRequested, ContactRecorded,
         PromiseMade/Kept/Broken, PaymentPlanAgreed/Broken/Completed, SuspensionNoticeRequested, RestrictionRequested,
         RestrictionReleaseRequested, SuspensionRequested, SuspensionWithdrawn, ReconnectionRequested (shared/events/collections.py).
Reacts   to billing (customers, invoices, payments), to ticketing (what became of an order), to the notifier (which notices were accepted)
         and to the NOC (outages).
Read on  rules/standing.py (the status), rules/verdicts.py (what may be done), rules/explaining.py (why).
"""
