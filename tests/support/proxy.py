"""A TCP proxy before PostgreSQL that breaks on demand: it cuts after a COMMIT, swallows, delays, and hangs up.

It reads as much of the protocol as it needs: the database that a connection asks for, and the server's word that a COMMIT is done. It
runs in a thread of its own: whoever commands it may stand still without anybody behind it noticing.
"""

import asyncio
import contextlib
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
STARTUP_DATABASE = re.compile(rb"\x00database\x00([^\x00]+)\x00")
CHUNK = 65536
SWALLOW_SECONDS = 0.02


@dataclass(eq=False)
class Connection:
    """One client's connection, and the database that it asked for (empty until it has)."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    database: str = ""

    def cut(self) -> None:
        """Both ends learn of it at once."""
        for each in (self.client, self.server):
            each.transport.abort()


@dataclass
class Proxy:
    """What happens to bytes on their way. `lose_commits` answers of COMMITs are still to be lost, each with its connection."""

    server: Callable[[], tuple[str, int]]
    port: int = 0
    delay: float = 0.0
    lose_commits: int = 0
    lost: list[str] = field(default_factory=list)
    connections: set[Connection] = field(default_factory=set)
    closed: bool = False  # nobody gets in
    swallows: bool = False  # bytes arrive and go nowhere, and connections stay open; afterwards they pass, late
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def heal(self) -> None:
        """Bytes pass again, at once."""
        self.delay, self.lose_commits, self.swallows = 0.0, 0, False

    def cut_all(self, database: str = "") -> int:
        """Hang up on everybody (of one database); answers on how many."""
        found = [each for each in list(self.connections) if not database or each.database == database]
        for each in found:
            self.loop.call_soon_threadsafe(each.cut)
        return len(found)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until either end hangs up."""
        try:
            if self.closed:
                raise ConnectionRefusedError
            from_server, to_server = await asyncio.open_connection(*self.server())
        except OSError:  # the server is away: the client sees what it would see without us
            writer.transport.abort()
            return
        connection = Connection(writer, to_server)
        self.connections.add(connection)
        ways = (self._up(reader, connection), self._down(from_server, connection))
        tasks = [asyncio.create_task(self._copy(way)) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.connections.discard(connection)
            for each in tasks:
                each.cancel()
            connection.cut()

    async def _copy(self, way: AsyncIterator[tuple[asyncio.StreamWriter, bytes]]) -> None:
        with contextlib.suppress(OSError):
            async for target, data in way:
                if self.delay:
                    await asyncio.sleep(self.delay)
                while self.swallows:
                    await asyncio.sleep(SWALLOW_SECONDS)
                target.write(data)
                await target.drain()

    async def _up(self, reader: asyncio.StreamReader, connection: Connection) -> AsyncIterator[tuple[asyncio.StreamWriter, bytes]]:
        while data := await reader.read(CHUNK):
            if not connection.database and (found := STARTUP_DATABASE.search(data)):
                connection.database = found[1].decode()
            yield connection.server, data

    async def _down(self, reader: asyncio.StreamReader, connection: Connection) -> AsyncIterator[tuple[asyncio.StreamWriter, bytes]]:
        while data := await reader.read(CHUNK):
            if self.lose_commits and COMMITTED in data:
                self.lose_commits -= 1
                self.lost.append(connection.database)
                return
            yield connection.client, data


@contextmanager
def open_proxy(server: Callable[[], tuple[str, int]]) -> Iterator[Proxy]:
    """A proxy on a free port of the loopback address, before whatever `server` answers at each new connection."""
    proxy, listens, over = Proxy(server), threading.Event(), asyncio.Event()

    async def run() -> None:
        listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.port = listening.sockets[0].getsockname()[1]
        listens.set()
        await over.wait()
        listening.close()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: proxy.loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=serve, name="proxy")
    thread.start()
    listens.wait()
    try:
        yield proxy
    finally:
        proxy.loop.call_soon_threadsafe(over.set)
        thread.join()
