"""What passes by itself, and what does not: whoever meets an error asks here whether to try again."""

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.clock import ClockNotSet
from shared.errors import causes_of, sqlstate_of

CLASSES = {"08", "40", "53", "57", "58"}  # of SQLSTATE: connection, rollback, resources, operator's intervention, system
# Waited too long for a lock; the transaction or the session took too long; the server, or this session of it, only reads (a standby, or
# somebody keeps it from filling up); and what only opening a connection meets while somebody works on the server: it is closed, or is not
# there, or the role may not log in.
PASSING = frozenset({"55P03", "25P03", "25P04", "25006", "55000", "3D000", "28000", "28P01"})
DRIVERS = (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.InvalidCachedStatementError)


def is_transient(error: BaseException) -> bool:
    """True for what passes by itself: connections, deadlocks, time-outs, and a table that was changed since its statement was prepared,
    which is done once. Such an error never counts against an event."""
    causes = causes_of(error)
    code = sqlstate_of(error)
    if isinstance(error, ClockNotSet):
        return True
    if isinstance(error, OSError):
        return error.filename is None  # a file that cannot be opened is nobody's connection
    if any(isinstance(each, asyncpg.InterfaceError) and isinstance(each, ValueError) for each in causes):
        return False  # a value that the driver cannot send will never be sent
    if isinstance(error, PoolTimeout) or any(isinstance(each, DRIVERS) for each in causes):
        return True
    if isinstance(error, DBAPIError) and (error.connection_invalidated or any(isinstance(each, OSError) for each in causes)):
        return True
    return code[:2] in CLASSES or code in PASSING
