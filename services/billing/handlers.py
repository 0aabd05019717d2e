"""What billing does when collections speaks: the readable map of its reactions."""

from services.billing.operations import segments
from shared.events.collections import AgentAssigned, SegmentChanged
from shared.inbox import Context, EventRouter

events = EventRouter()


@events.on_batch(SegmentChanged)
async def remember_policies(ctx: Context, changes: list[SegmentChanged]) -> None:
    """The policy gives the due dates from the next invoice on, and who is billed first."""
    await segments.remember_policies(ctx.session, policies={each.customer_id: each.policy for each in changes})


@events.on_batch(AgentAssigned)
async def remember_agents(ctx: Context, assignments: list[AgentAssigned]) -> None:
    """Who looks after the customer is shown with it."""
    await segments.remember_agents(ctx.session, agents={each.customer_id: each.agent for each in assignments})
