"""Collections over HTTP."""

from services.collections.api import accounts, agreements, contacts, cuts, portfolios, segments, worklist

ROUTERS = (
    accounts.router,
    worklist.router,
    contacts.router,
    agreements.router,
    cuts.router,
    segments.router,
    portfolios.router,
)
