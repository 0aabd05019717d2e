"""Two clocks. Business time may be simulated and is passed in from the edges; machine time is always real.

Business: due dates, promises, notices, ticket deadlines, retries towards mail and network.
Machine: leases, idempotency and token expiry, transient back-off, time-outs, watchdogs.
"""

from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.db import Database, MessagingTable, execute, ring, rows, utc
from shared.errors import Unavailable


class ClockNotSet(Unavailable):
    """Business time is simulated and nobody has said yet where it begins; whoever needs it waits."""

    def __init__(self) -> None:
        super().__init__("El reloj de prueba todavía no está puesto.", remedy="Póngalo en hora: `reconecta conductor --start INSTANTE`.")


class Clock(Protocol):
    """Where an edge reads business time, as an aware UTC instant; in the transaction that it has open, if it gives one."""

    simulated: bool

    async def now(self, session: AsyncSession | None = None) -> datetime:
        """Raises ClockNotSet."""
        ...


class SystemClock:
    """Business time is real time."""

    simulated = False

    async def now(self, session: AsyncSession | None = None) -> datetime:
        return datetime.now(UTC)


class SimulatedInstant(MessagingTable, table=True):
    """The one row that holds simulated business time, so that every process of the service reads the same."""

    __tablename__ = "simulated_clock"
    one: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    now: datetime = utc()


class SimulatedClock:
    """Business time is what the conductor last set; it never goes back."""

    simulated = True

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self, session: AsyncSession | None = None) -> datetime:
        if session is None:
            async with self._database.transaction() as own:
                return await self.now(own)
        found = await rows(session, "SELECT now FROM simulated_clock")
        if not found:
            raise ClockNotSet
        return found[0].now.astimezone(UTC)  # type: ignore[no-any-return]

    async def set(self, instant: datetime) -> None:
        """Move to `instant` (UTC); an earlier one changes nothing. Wakes the service's workers."""
        async with self._database.transaction() as session:
            await execute(
                session,
                "INSERT INTO simulated_clock (one, now) VALUES (1, $1) "
                "ON CONFLICT (one) DO UPDATE SET now = greatest(simulated_clock.now, excluded.now)",
                instant.astimezone(UTC),
            )
            ring(session)


async def business_time(session: AsyncSession) -> datetime:
    """The service's business time (UTC), for who does not know its clock: its test clock's where one was ever set, real time otherwise."""
    found = await rows(session, "SELECT now FROM simulated_clock")
    return found[0].now.astimezone(UTC) if found else await SystemClock().now()


def machine_now() -> datetime:
    """Real time, whatever the business clock says."""
    return datetime.now(UTC)
