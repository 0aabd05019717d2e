"""What billing does when collections and ticketing speak: the readable map of its reactions."""

from services.billing.adapters.price_functions import price_functions
from services.billing.operations import agreements, charges, segments
from shared.events.collections import AgentAssigned, FeeDue, SegmentChanged
from shared.events.ticketing import AgreementReached
from shared.routing import Context, EventRouter

events = EventRouter()


@events.on_batch(SegmentChanged)
async def remember_policies(ctx: Context, changes: list[SegmentChanged]) -> None:
    """The policy gives the due dates from the next invoice on, and who is billed first."""
    await segments.remember_policies(ctx.session, policies={each.customer_id: each.policy for each in changes})


@events.on_batch(AgentAssigned)
async def remember_agents(ctx: Context, assignments: list[AgentAssigned]) -> None:
    """Who looks after the customer is shown with it."""
    await segments.remember_agents(ctx.session, agents={each.customer_id: each.agent for each in assignments})


@events.on_batch(FeeDue)
async def charge_fees(ctx: Context, due: list[FeeDue]) -> None:
    """Collections decides that fees are due, billing issues their invoices."""
    await charges.charge_fees(ctx.session, due=due, operator=ctx.operator, now=ctx.now)


@events.on(AgreementReached)
async def carry_out_agreements(ctx: Context, agreed: AgreementReached) -> None:
    """What was agreed in a ticket becomes the service's plan, or a note."""
    await agreements.carry_out(ctx.session, agreed=agreed, operator=ctx.operator, prices=price_functions(ctx.operator), now=ctx.now)
