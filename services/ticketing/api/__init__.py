"""Ticketing over HTTP."""

from services.ticketing.api import diagrams, documents, procedures, switches, tasks, tickets

ROUTERS = (
    tickets.router,
    tasks.router,
    procedures.router,
    switches.router,
    diagrams.router,
    documents.router,
    documents.uploads,
    documents.downloads,
)
