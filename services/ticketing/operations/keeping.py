"""What tickets under way leave to be written: gathered while the engine moves them, then written by one statement."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import NetworkSwitch, Ticket, TicketStep
from shared.bulk import Changed, New, Part, write

MOVED = ("closed_at", "outcome", "comment", "revision", "version")
TURN = ("ticket_id", "code", "number")
CHANGED = (
    "place", "task", "state", "desk", "person", "opened_at", "deadline", "late", "finished_at", "finished_by", "outcome", "filled",
    "captured", "appointment", "comment",
)  # fmt: skip


@dataclass
class Kept:
    """Tickets that begin, and those that were moved; turns of steps that are new, and those that changed; switches to be done. None of the
    rows need be the session's objects; whoever asks the database for them writes first."""

    begun: list[Ticket] = field(default_factory=list)
    moved: dict[UUID, Ticket] = field(default_factory=dict)
    turns: list[TicketStep] = field(default_factory=list)
    changed: dict[tuple[UUID, str, int], TicketStep] = field(default_factory=dict)
    switches: list[NetworkSwitch] = field(default_factory=list)

    def parts(self) -> list[Part]:
        """What writes what has gathered since the last time."""
        for ticket in self.begun:
            self.moved.pop(ticket.id, None)
        for turn in self.turns:
            self.changed.pop((turn.ticket_id, turn.code, turn.number), None)
        moved, changed = Changed(list(self.moved.values()), MOVED), Changed(list(self.changed.values()), CHANGED, TURN)
        parts: list[Part] = [New(self.begun), New(self.turns), New(self.switches), moved, changed]
        self.begun, self.moved, self.turns, self.changed, self.switches = [], {}, [], {}, []
        return parts

    async def write(self, session: AsyncSession) -> None:
        """Write it."""
        await write(session, *self.parts())
