"""Ticketing over HTTP."""

from services.ticketing.api import diagrams, procedures, switches, tasks, tickets

ROUTERS = (tickets.router, tasks.router, procedures.router, switches.router, diagrams.router)
