"""Notifier: what happened becomes messages to those who must know, and messages become deliveries.

Owns     messages and their deliveries, webhooks and their posts, projections of customers (name, contacts, agent, policy) and invoices.
Sends    MessageAccepted, MessageFailed, WebhookDisabled (shared/events/notifier.py).
Reacts   to every event that a notice of the operator's may be about (deploy/operators/…/notices), which is every event but its own.
"""
