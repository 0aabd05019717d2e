"""Errors on their way out: every one an RFC 9457 problem in Spanish, with the trace that the log knows it by."""

import errno
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.discretion import told
from shared.errors import FieldError, Invalid, NotFound, Problem, TooLarge, Unavailable, spanish
from shared.log import get_logger, new_traceparent, trace_id, traced
from shared.transient import is_transient

log = get_logger("web")
TYPE = "https://reconecta.dev/problemas/"
MEDIA_TYPE = "application/problem+json"
CLOSE = {"Connection": "close"}  # nobody reads the rest of the body
AGAIN_SOON = {"Retry-After": "5"}  # seconds; most of what stops us is over by then
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}  # a disk, or what this process may have of it
AGAIN = "Repita la solicitud con la misma Idempotency-Key."
TITLES = {
    400: "La solicitud no se entiende",
    404: "No existe",
    405: "Este método no existe aquí",
    413: TooLarge.title,
    415: "Tipo de contenido desconocido",
}


class ProblemDetails(BaseModel):
    """An RFC 9457 problem. `rule` is the operator's rule that refused, `remedy` what would help."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": TYPE + "regla",
                    "title": "Una regla lo impide",
                    "status": 409,
                    "detail": "Faltan 3 h 20 min para que se cumplan las 24 horas del aviso.",
                    "rule": "VIP-10",
                    "remedy": "Suspenda a partir del 28/03/2026 a las 09:15.",
                    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                }
            ]
        }
    )
    type: str
    title: str
    status: int
    detail: str
    rule: str | None = None
    remedy: str | None = None
    errors: list[FieldError] = []
    trace_id: str | None = None


def response_to(problem: Problem, title: str | None = None, status: int | None = None) -> JSONResponse:
    """The response that tells a problem."""
    details = ProblemDetails(
        type=TYPE + problem.slug,
        title=title or problem.title,
        status=status or problem.status,
        detail=problem.detail,
        rule=problem.rule,
        remedy=problem.remedy,
        errors=problem.errors,
        trace_id=trace_id(),
    )
    headers = {401: {"WWW-Authenticate": "Bearer"}, 408: CLOSE, 413: CLOSE, 503: AGAIN_SOON}.get(details.status, {})
    return JSONResponse(details.model_dump(exclude_none=True), details.status, headers, media_type=MEDIA_TYPE)


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return response_to(error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [FieldError(field=field_name(each["loc"]), message=spanish(each)) for each in error.errors()]
    names = ", ".join(dict.fromkeys(each.field for each in found))
    return response_to(Invalid(f"Corrija: {names}.", errors=found, remedy="No se guardó nada; corrija los campos y envíe de nuevo."))


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = TITLES.get(error.status_code, "La solicitud no es posible")
    return response_to(NotFound(f"{title}. La lista de rutas está en /<servicio>/docs."), title, error.status_code)


def field_name(location: tuple[Any, ...]) -> str:
    """`body.promises.0.due_at` as people write it: `promises.0.due_at`."""
    parts = [str(part) for part in location]
    if parts[:1] == ["body"] and len(parts) == 2 and isinstance(location[1], int):
        return "body"  # where in its text broken JSON breaks
    return ".".join(parts[1:] if parts[:1] in (["body"], ["query"], ["path"], ["header"]) and len(parts) > 1 else parts)


def add_handlers(app: FastAPI) -> None:
    """Make the app tell all its errors as problems."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(TraceMiddleware)


def _passing(error: Exception) -> Problem | None:
    """What is told of an error that is over when the same request comes again later; None for any other."""
    if isinstance(error, OSError) and error.errno in FULL:
        return Unavailable("En el disco del servidor no hay lugar para el archivo.", remedy="Libere espacio. " + AGAIN)
    return Unavailable("La base de datos no responde.", remedy=AGAIN) if is_transient(error) else None


class TraceMiddleware:
    """Gives every request a trace, shows its id, and turns what nobody expected into a problem without its text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
        started = False

        async def traced_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], (b"trace-id", (trace_id() or "").encode())]
            await send(message)

        with traced(new_traceparent(given)):
            try:
                await self._app(scope, receive, traced_send)
            except ClientDisconnect:  # in the middle of its body: nothing was begun, and nobody is there to be answered
                log.info("client went away", path=scope["path"])
            except Exception as error:
                problem = _passing(error)
                what = {"error": type(error).__name__, "detail": told(error)}
                log.error("request failed", path=scope["path"], **what, exc_info=problem is None)
                if started:
                    raise
                unexpected = Problem("Ocurrió algo inesperado.", remedy="Avise con el número de traza: el registro dice más.")
                await response_to(problem or unexpected)(scope, receive, traced_send)
