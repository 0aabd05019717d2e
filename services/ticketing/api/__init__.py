"""Ticketing over HTTP."""

from services.ticketing.api import diagrams, documents, network_events, procedures, switches, tasks, tickets, work_orders

ROUTERS = (
    tickets.router,
    tasks.router,
    procedures.router,
    switches.router,
    diagrams.router,
    documents.router,
    documents.uploads,
    documents.downloads,
    network_events.router,
    work_orders.router,
    work_orders.papers,
)
