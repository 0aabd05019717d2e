"""Ticketing's tables."""

from services.ticketing.models.base import Table
from services.ticketing.models.documents import Document, DocumentPart
from services.ticketing.models.facts import Allocation, Customer, Invoice, Payment, Portfolio
from services.ticketing.models.network import NetworkSwitch, SilentNode, SimulatedCall, SimulatedPlan, SimulatedService
from services.ticketing.models.orders import Reconnection, Restriction, Suspension
from services.ticketing.models.tickets import Ticket, TicketStep

__all__ = [
    "Allocation",
    "Customer",
    "Document",
    "DocumentPart",
    "Invoice",
    "NetworkSwitch",
    "Payment",
    "Portfolio",
    "Reconnection",
    "Restriction",
    "SilentNode",
    "SimulatedCall",
    "SimulatedPlan",
    "SimulatedService",
    "Suspension",
    "Table",
    "Ticket",
    "TicketStep",
]
