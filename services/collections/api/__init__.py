"""Collections over HTTP."""

from services.collections.api import accounts, agreements, contacts, cuts, dossiers, portfolios, segments, timeline, worklist
from services.collections.api.examples import show_examples

ROUTERS = (
    accounts.router,
    timeline.router,
    worklist.router,
    contacts.router,
    agreements.router,
    cuts.router,
    segments.router,
    portfolios.router,
    dossiers.router,
    dossiers.uploads,
)
show_examples(*ROUTERS)
