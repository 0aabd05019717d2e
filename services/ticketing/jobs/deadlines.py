"""Steps that are still open at their deadline, and documents that nobody has named by theirs."""

from uuid import UUID

from services.ticketing.operations.documents import UNUSED, forget_unused
from services.ticketing.operations.effects import DEADLINE
from services.ticketing.operations.steps import pass_deadline
from shared.routing import Context
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


@router.on(UNUSED)
async def forget_document(ctx: Context, timer: DueTimer) -> None:
    """A document that no ticket has named is not kept."""
    await forget_unused(ctx.session, UUID(timer.key))
