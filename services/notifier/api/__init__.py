"""Notifier over HTTP."""

from services.notifier.api import messages

routers = (messages.router,)
