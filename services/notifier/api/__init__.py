"""Notifier over HTTP."""

from services.notifier.api import messages, webhooks

routers = (messages.router, webhooks.router)
