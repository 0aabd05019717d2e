"""Steps that are still open at their deadline."""

from uuid import UUID

from services.ticketing.operations.steps import pass_deadline
from services.ticketing.operations.tickets import DEADLINE
from shared.inbox import Context
from shared.timers import DueTimer, TimerRouter

router = TimerRouter()


@router.on(DEADLINE)
async def mark_late(ctx: Context, timer: DueTimer) -> None:
    """The step counts as late on its owner's list."""
    await pass_deadline(
        ctx.session,
        ticket_id=UUID(timer.payload["ticket_id"]),
        step=timer.payload["step"],
        number=timer.payload["number"],
        operator=ctx.operator,
        now=ctx.now,
    )
