"""Structured logs, one JSON object per line, each with the trace that it belongs to."""

import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import structlog

from shared.discretion import masked, told_with_lines

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
KEPT = frozenset({"timestamp", "level", "part", "trace_id"})
TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")


def get_logger(name: str) -> Any:
    """A logger; pass facts as keywords: `log.info("message sent", message=id)`."""
    return structlog.get_logger(name, part=name)


def configure(level: str = "INFO", stream: Any = None) -> None:
    """Make this process log to `stream` (standard error by default). Called once by whoever starts a process.

    An exception is written with its lines of code, never with the values that its functions held or its message repeats: those are
    customers' data. What libraries log by the standard library comes out here, too."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_trace,
            _discreet,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(file=_Lasting(stream or sys.stderr)),  # type: ignore[arg-type] # all it asks for
        cache_logger_on_first_use=False,
    )

    logging.basicConfig(handlers=[_FromLibraries()], level=max(logging.WARNING, logging.getLevelName(level)), force=True)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # who has lost a connection says so, and what became of its work


class _Lasting:
    """A stream that is written to as long as it takes anything. A full disk, or nobody who reads, is no reason to stop working: what was to
    be said is lost, and whoever says it goes on."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a closed one is a ValueError
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _FromLibraries(logging.Handler):
    """Whatever a library says, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger(record.name, part=record.name).log(
            min(record.levelno // 10 * 10, logging.CRITICAL), record.getMessage(), exc_info=error
        )


def _discreet(_logger: Any, _method: str, event: Any) -> Any:
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    found = {name: masked(value) if isinstance(value, str) and name not in KEPT else value for name, value in event.items()}
    return found | {"exception": told_with_lines(error)} if error else found


def _with_trace(_logger: Any, _method: str, event: Any) -> Any:
    if trace := trace_id():
        event["trace_id"] = trace
    return event


def current_traceparent() -> str | None:
    """The W3C traceparent of what is going on; None outside of any trace."""
    return _traceparent.get()


def trace_id() -> str | None:
    """The trace id of what is going on, as problems and logs show it."""
    return trace_id_of(_traceparent.get())


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id in a traceparent."""
    found = TRACEPARENT.match(traceparent or "")
    return found[1] if found else None


def new_traceparent(given: str | None = None) -> str:
    """A new span in the trace that was given, or in a new one."""
    found = TRACEPARENT.match(given or "")
    return f"00-{found[1] if found else secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


@contextmanager
def traced(traceparent: str | None) -> Iterator[None]:
    """What happens inside belongs to this trace."""
    token = _traceparent.set(traceparent)
    try:
        yield
    finally:
        _traceparent.reset(token)
