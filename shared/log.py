"""Structured logs, one JSON object per line, each with the trace that it belongs to."""

import logging
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")


def get_logger(name: str) -> Any:
    """A logger; pass facts as keywords: `log.info("message sent", message=id)`."""
    return structlog.get_logger(name, part=name)


def configure(level: str = "INFO", stream: Any = None) -> None:
    """Make this process log to `stream` (standard error by default). Called once by whoever starts a process.

    An exception is written with its lines of code, never with the values that its functions held: those are customers' data."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_trace,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def _with_trace(_logger: Any, _method: str, event: Any) -> Any:
    if trace := trace_id():
        event["trace_id"] = trace
    return event


def current_traceparent() -> str | None:
    """The W3C traceparent of what is going on; None outside of any trace."""
    return _traceparent.get()


def trace_id() -> str | None:
    """The trace id of what is going on, as problems and logs show it."""
    found = TRACEPARENT.match(_traceparent.get() or "")
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
