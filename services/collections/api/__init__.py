"""Collections over HTTP."""

from services.collections.api import contacts, portfolios, segments

ROUTERS = (segments.router, portfolios.router, contacts.router)
