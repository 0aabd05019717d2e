"""An ASGI app on an address until somebody says stop, whoever else has to be tidied up afterwards."""

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from shared.errors import Mendable

PORTS_TRIED = 50
GRACE_SECONDS = 5


class _Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn would raise them again when it is done, and nothing behind it would be tidied up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """An event that is set by the first SIGTERM or SIGINT."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    try:
        yield stop
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)


class CannotListen(Mendable):
    """The address is not this machine's, or its port is taken; the message says which, in Spanish."""


def listen(host: str, port: int, *, or_next: bool = False) -> socket.socket:
    """A socket that listens on the port, or with `or_next` on the next free one. Raises CannotListen.

    Whoever runs something listens first: an address that cannot be had is found out before anything is opened. Who calls in the meantime
    waits until `serving` answers."""
    tries = min(PORTS_TRIED, 65536 - port) if or_next else 1
    for tried in range(tries):
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, port + tried))
            found.listen(512)
        except OSError as error:
            found.close()
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise CannotListen(f"Esta máquina no tiene la dirección «{host}»: pruebe --host 127.0.0.1.") from None
        else:
            return found
    ports = f"el {port}" if tries == 1 else f"ninguno del {port} al {port + tries - 1}"
    raise CannotListen(f"No se puede usar {ports} en {host}: están ocupados o no se permiten. Pruebe otro con --port.")


@asynccontextmanager
async def serving(app: FastAPI, on: socket.socket) -> AsyncIterator[None]:
    """Answer requests until the block ends; then let the open ones finish, for some seconds."""
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=GRACE_SECONDS)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[on]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task
