"""Ticketing: procedures under way, their tasks, and the switching of the network.

Owns     tickets and their steps, work orders and documents, orders to restrict, to cut and to reconnect with what became of them,
         switches and what the network answered, silent access nodes; projections of customers, agents, invoices and payments.
Sends    everything in shared/events/ticketing.py.
Reacts   to collections (what is to be restricted, cut, reconnected and recovered, and what of it no longer stands) and to billing
         (customers, invoices, money that meets a cut, agreements that cannot be carried out).
Read on  rules/engine.py (how a ticket moves), rules/refusals.py (why not), rules/switching.py (what is switched).
"""
