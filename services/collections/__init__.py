"""Collections: who owes, what was agreed, and whether a service is cut or reconnected.

Owns     accounts (customers as billing tells them, with policy, agent and the cached status), promises, payment plans, reviews, holds,
         notices, orders to restrict, to cut, to reconnect and to recover, contacts, the lists of Sales, portfolios, simulations, dossiers,
         and the timeline of what every service told of a customer.
Sends    everything in shared/events/collections/.
Reacts   to billing (customers, invoices, payments), to ticketing (what became of an order), to the notifier (which notices were accepted)
         and to the NOC (outages).
Read on  rules/standing.py (the status), rules/verdicts.py (what may be done), rules/explaining.py (why).
"""
