"""What the NOC does when others speak: the readable map of its reactions."""

from collections.abc import Sequence

from services.noc import operations
from services.noc.operations import Attachment
from shared.events.billing import CustomerChanged, CustomerRegistered, CustomerState
from shared.routing import Context, EventRouter

events = EventRouter()


@events.on_batch(CustomerRegistered)
async def learn_new_customers(ctx: Context, customers: list[CustomerRegistered]) -> None:
    """Which nodes there are, and who is behind them, is known from what customers were sold."""
    await _attach(ctx, customers)


@events.on_batch(CustomerChanged)
async def learn_changed_customers(ctx: Context, customers: list[CustomerChanged]) -> None:
    """Customers move from node to node, and leave."""
    await _attach(ctx, customers)


async def _attach(ctx: Context, customers: Sequence[CustomerState]) -> None:
    latest = {each.customer_id: each for each in customers}
    attachments = {
        customer_id: [
            Attachment(sold.service_id, customer_id, sold.access_node, sold.active_from, sold.active_to)
            for sold in customer.services
            if sold.access_node is not None
        ]
        for customer_id, customer in latest.items()
    }
    await operations.attach_customers(ctx.session, attachments=attachments, now=ctx.now)
