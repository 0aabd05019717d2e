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
        try:
            async with asyncio.timeout_at(begun + BODY_SECONDS + size / SLOWEST):
                message = await request.receive()
        except TimeoutError:
            raise TooSlow("El contenido de la solicitud no llegó a tiempo.", remedy="Envíela de nuevo, con la misma clave.") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if chunk:
            yield chunk


async def read_limited(request: Request, limit: int) -> bytes:
    """The whole body, at most `limit` bytes of it. Raises TooLarge before more than that is read."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in incoming(request):
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    request._body = b"".join(chunks)  # where the framework looks for a body that was read already
    return request._body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"Esta ruta acepta a lo sumo {limit // 1024} KiB.", remedy="Los archivos van por POST /billing/imports.")
