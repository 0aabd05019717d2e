"""Requests that read or change something: in one transaction, once, and written down.

# Note [Committed before it is answered]
A framework that ends a dependency after the response would answer 200 for a commit that fails. Here the route itself holds the
transaction (or the crowd in which it is carried out, `together.py`): the endpoint's response is complete, the commit succeeds, and only
then is the first byte sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession

from shared import idempotency, trail
from shared.errors import Unavailable
from shared.idempotency import Answer, Command
from shared.log import current_traceparent
from shared.trail import Done
from shared.transient import is_transient
from shared.web.asking import KEY_PARAMETER, business_time, permits, principal_of, refuse_nul, require_key, runtime_of
from shared.web.bodies import BODY_LIMIT, read_limited
from shared.web.confidential import kept, shown
from shared.web.exporting import Export, Given, Listed, answers, exported, format_asked, known_format, listed_by
from shared.web.routing import Router
from shared.web.together import Crowds, Together, answer_of

UPLOADS_AT_ONCE = 4  # per process: each holds a file open and a part of it in memory
READS = frozenset({"GET", "HEAD"})
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LimitedRoute(APIRoute):
    """For what is no command of a service, such as the test clock: a token, and a limit to the body."""

    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            principal_of(request)
            await read_limited(request, BODY_LIMIT)
            return await inner(request)

        return handle


class CommandRoute(APIRoute):
    """The route class of every service's router: token, one transaction, idempotency, audit, a limit to the body, and lists as files."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.listed = listed_by(endpoint) if "GET" in (options.get("methods") or ()) else None
        if self.listed is not None:
            others = [each for each in options.get("dependencies") or () if each.dependency is not known_format]
            options["dependencies"] = [*others, Depends(known_format)]
            options["responses"] = answers(options.get("responses") or {})
        if "POST" in (options.get("methods") or ()):
            extra = dict(options.get("openapi_extra") or {})
            options["openapi_extra"] = {**extra, "parameters": [*extra.get("parameters", []), KEY_PARAMETER]}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            principal_of(request)
            refuse_nul(request)
            if request.method in READS:
                await business_time(request)
                if self.listed is not None and format_asked(request) is not None:
                    return await _export(request, self.listed, inner)
                return await _read(request, inner)
            body = await read_limited(request, BODY_LIMIT)
            fingerprint = idempotency.fingerprint(request.scope["path"].encode(), request.scope["query_string"], body)
            if (answer := await self._join(request, fingerprint, body)) is not None:
                return answer
            await business_time(request)
            return await run_command(request, fingerprint, lambda: inner(request), body)

        return handle

    async def _join(self, request: Request, fingerprint: str, body: bytes) -> Response | None:
        """The answer, where commands of this route are carried out together and this one went through."""
        how: Together | None = getattr(self.endpoint, "together", None)
        if how is None:
            return None
        crowds: dict[Together, Crowds] = request.app.state.crowds
        if how not in crowds:
            crowds[how] = Crowds(runtime_of(request), how)
        return await crowds[how].join(request, principal_of(request), _command(request, fingerprint), body)


class UploadRoute(CommandRoute):
    """For bodies too large for memory: the endpoint streams the request itself and then calls `run_command`."""

    def get_route_handler(self) -> Handler:
        inner = APIRoute.get_route_handler(self)
        places = asyncio.Semaphore(UPLOADS_AT_ONCE)

        async def handle(request: Request) -> Response:
            principal_of(request)
            await business_time(request)
            require_key(request)
            if places.locked():
                raise Unavailable(f"Ya se reciben {UPLOADS_AT_ONCE} archivos.", remedy="Espere a que termine uno y repita tal cual.")
            async with places:
                return await inner(request)

        return handle


async def _read(request: Request, inner: Handler) -> Response:
    async with runtime_of(request).database.transaction() as session:
        request.state.session = session
        return await inner(request)


async def _export(request: Request, listed: Listed, inner: Handler) -> Response:
    """The whole list as a file, called by its route and the operator's day, for who may take lists along; the audit trail has it."""
    runtime, documents = runtime_of(request), request.app.state.operator
    permits(principal_of(request), documents, f"{runtime.service.name}.export")
    words = [each for each in request.scope["route"].path_format.split("/") if each and "{" not in each]
    name = "-".join([*words, request.state.now.astimezone(documents.zone).date().isoformat()])
    note = partial(_note_export, request)
    return await exported(Export(request, listed, lambda page: _read(page, inner), documents.zone, name, note))


async def _note_export(request: Request, given: Given) -> None:
    runtime, path = runtime_of(request), request.scope["path"]
    async with runtime.database.transaction() as session:
        now = await runtime.clock.now(session)
        await trail.record(session, principal_of(request), method=request.method, path=path, status=200, body=given.told(), now=now)


async def run_command(request: Request, fingerprint: str, work: Callable[[], Awaitable[Response]], body: bytes | None = None) -> Response:
    """Do the work in one transaction with its key, its answer and its audit entry; a repeated POST gets the stored answer.

    `work` finds its session in `request.state.session` (the `Session` dependency). Raises what the work raises; then nothing is kept.
    """
    command = _command(request, fingerprint) if request.method == "POST" else None
    database = runtime_of(request).database
    try:
        async with database.transaction() as session:
            stored = await idempotency.recall(session, command) if command else None
            return _replayed(request, stored) if stored else await _carry_out(request, session, command, work, body)
    except Exception as error:
        if command is None or is_transient(error):
            raise
        async with database.transaction() as session:  # Note [One look]
            stored = await idempotency.recall(session, command)
        if stored is None:
            raise
        return _replayed(request, stored)


def _command(request: Request, fingerprint: str) -> Command:
    route = f"POST {request.scope['route'].path_format}"
    return Command(principal_of(request).person, route, require_key(request), fingerprint)


async def _carry_out(
    request: Request, session: AsyncSession, command: Command | None, work: Callable[[], Awaitable[Response]], body: bytes | None
) -> Response:
    request.state.session = session
    response = await work()
    await session.flush()
    actor, path, now = principal_of(request), request.scope["path"], request.state.now
    if command is None:
        await trail.record(session, actor, method=request.method, path=path, status=response.status_code, body=body, now=now)
    else:
        done = Done(actor, request.method, path, body, command, kept(request, answer_of(response)), current_traceparent())
        await trail.finish(session, [done], now=now)
    return response


def _replayed(request: Request, stored: Answer) -> Response:
    stored = shown(request, stored)
    return Response(stored.body, stored.status, {**stored.headers, "Idempotency-Replayed": "true"})


def command_router(**options: Any) -> Router:
    """A router whose routes are CommandRoutes."""
    return Router(route_class=CommandRoute, **options)
