"""A request's body, read before anything else is taken: neither the large nor the slow hold a connection to the database."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect

from shared.errors import TooLarge, TooSlow

BODY_LIMIT = 1024 * 1024
BODY_SECONDS, SLOWEST = 30.0, 16 * 1024


async def incoming(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises TooSlow for whoever sends less than SLOWEST bytes a second once BODY_SECONDS are over."""
    begun, size, more = asyncio.get_running_loop().time(), 0, True
    while more:
        chunk, more = await _next(request, begun + BODY_SECONDS + size / SLOWEST)
        size += len(chunk)
        if chunk:
            yield chunk


async def read_limited(request: Request, limit: int) -> bytes:
    """The whole body, at most `limit` bytes of it. Raises TooLarge before more than that is read, TooSlow as `incoming` does; that is not
    asked, because a generator whose end the loop watches costs every request as much as the reading."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    begun, body, more = asyncio.get_running_loop().time(), bytearray(), True
    while more:
        chunk, more = await _next(request, begun + BODY_SECONDS + len(body) / SLOWEST)
        if len(body) + len(chunk) > limit:
            raise _too_large(limit)
        body += chunk
    request._body = bytes(body)  # where the framework looks for a body that was read already
    return request._body


async def _next(request: Request, until: float) -> tuple[bytes, bool]:
    """What comes next, and whether that is not all. Raises TooSlow at `until` (the loop's time)."""
    try:
        async with asyncio.timeout_at(until):
            message = await request.receive()
    except TimeoutError:
        raise TooSlow("El contenido de la solicitud no llegó a tiempo.", remedy="Envíela de nuevo, con la misma clave.") from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"Esta ruta acepta a lo sumo {limit // 1024} KiB.", remedy="Los archivos van por POST /billing/imports.")
