"""Posts to subscribers over HTTP: to the address that was looked up and found good, never where an answer sends us, never for long."""

import asyncio
import socket
import ssl
import time
import typing
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cached_property
from urllib.parse import urlsplit

import httpcore

from services.notifier.rules.addresses import Network, may_be_called, networks
from services.notifier.rules.webhooks import Answer
from shared.operator.templates import printable
from shared.settings import Settings

SECONDS = 10.0  # for everything together: looking up, connecting, sending, and the beginning of the answer
KEPT_BYTES = 1_000
MOST = None  # connections to one subscriber: whoever claims posts limits them
Option = typing.Any


class Unreachable(Exception):
    """There is no address that we may call; the text says why (Spanish)."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Looks a name up once and connects to what it found, so that nothing can be put in its place between the look and the call."""

    def __init__(self, configured: Sequence[Network], *, public: bool) -> None:
        self._configured, self._public = configured, public
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Option] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failed: Exception = Unreachable("El nombre no tiene ninguna dirección.")
        for address in await self._look_up(host, port):
            try:
                return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def _look_up(self, host: str, port: int) -> list[str]:
        """Every address of the name; one that may not be called spoils them all. Raises Unreachable."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreachable("El nombre no se encuentra.") from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not all(may_be_called(each, self._configured, public=self._public) for each in addresses):
            raise Unreachable("Es una dirección de una red privada, que no está permitida.")
        return addresses

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Poster:
    """How a process reaches subscribers. `seconds` limits each post; `trust` is whom TLS believes (None: the system's authorities, read
    once)."""

    def __init__(self, configured: Sequence[Network], *, seconds: float = SECONDS, trust: ssl.SSLContext | None = None) -> None:
        self._configured, self._seconds, self._given = configured, seconds, trust

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return self._given or ssl.create_default_context()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["PostLine"]:
        """Connections to one subscriber, kept for as long as the block lasts. Each has its own: in a common pool a post would wait for
        another's connection, and look slow; and what a pool does for a post grows with the square of its connections."""
        async with (
            httpcore.AsyncConnectionPool(self._trust, None, MOST, network_backend=GuardedBackend(self._configured, public=True)) as secure,
            httpcore.AsyncConnectionPool(None, None, MOST, network_backend=GuardedBackend(self._configured, public=False)) as plain,
        ):
            yield PostLine({"https": secure, "http": plain}, self._seconds)


class PostLine:
    """Open connections to a subscriber."""

    def __init__(self, pools: Mapping[str, httpcore.AsyncConnectionPool], seconds: float) -> None:
        self._pools, self._seconds = pools, seconds

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """Post once. Whatever goes wrong is an Answer."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                status, text, wait = await self._exchange(url, headers, body)
        except Unreachable as error:
            return Answer(None, str(error), milliseconds=_since(began))
        except (TimeoutError, httpcore.TimeoutException):
            return Answer(None, f"No contestó en {self._seconds:g} segundos.", milliseconds=_since(began))
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
            return Answer(None, f"No hay conexión con el destino ({type(error).__name__}).", milliseconds=_since(began))
        return Answer(status, _told(status), text, _since(began), wait)

    async def _exchange(self, url: str, headers: Mapping[str, str], body: str) -> tuple[int, str, timedelta | None]:
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        pool = self._pools[urlsplit(url).scheme]
        async with pool.stream("POST", url, headers=list(headers.items()), content=body.encode(), extensions={"timeout": limits}) as answer:
            return answer.status, await _beginning(answer), _wait(answer)


async def _beginning(answer: httpcore.Response) -> str:
    """What the subscriber wrote, as far as it is worth keeping."""
    found = b""
    async for part in answer.aiter_stream():
        found += part[: KEPT_BYTES - len(found)]
        if len(found) >= KEPT_BYTES:
            break
    return str(printable(found.decode("utf-8", "replace")))


def _wait(answer: httpcore.Response) -> timedelta | None:
    """`Retry-After` in seconds; a date is not read."""
    for name, value in answer.headers:
        if name.lower() == b"retry-after" and value.strip().isdigit() and len(value) < 8:
            return timedelta(seconds=int(value))
    return None


def _told(status: int) -> str:
    if 200 <= status < 300:
        return "Recibido."
    if 300 <= status < 400:
        return f"Contestó {status}: manda a otra dirección, y eso no se sigue."
    return f"Contestó {status}."


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def poster(settings: Settings) -> Poster:
    """The way out of a process's settings. Raises ValueError for a network that is none."""
    return Poster(networks(settings.webhook_networks))
