"""Collections over HTTP."""

from services.collections.api import (
    accounts,
    agreements,
    charts,
    contacts,
    covers,
    cuts,
    distributions,
    dossiers,
    figures,
    holds,
    portfolios,
    segments,
    simulations,
    timeline,
    worklist,
)
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
    figures.router,
    charts.router,
    covers.router,
    distributions.router,
    holds.router,
    simulations.router,
    dossiers.router,
    dossiers.uploads,
)
show_examples(*ROUTERS)
