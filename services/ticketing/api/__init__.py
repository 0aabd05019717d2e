"""Ticketing over HTTP."""

from services.ticketing.api import diagrams, documents, procedures, switches, tasks, tickets, work_orders

ROUTERS = (
    tickets.router,
    tasks.router,
    procedures.router,
    switches.router,
    diagrams.router,
    documents.router,
    documents.uploads,
    documents.downloads,
    work_orders.router,
    work_orders.papers,
)
