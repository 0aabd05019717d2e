"""Answers that show a secret once. Whoever repeats the request is shown it again, so the answer is kept; but sealed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastapi import Request

from shared.errors import Conflict
from shared.idempotency import Answer
from shared.sealing import Seal


def confidential(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Mark an endpoint whose answer shows a secret. Its service has a `seal` among its resources."""
    setattr(endpoint, "confidential", True)  # noqa: B010 - a function has no such attribute
    return endpoint


def kept(request: Request, answer: Answer) -> Answer:
    """An answer as the database keeps it. Raises Unavailable where there is no key to close it with."""
    if not _is_confidential(request):
        return answer
    return replace(answer, body=_seal(request).close(answer.body.decode()).encode())


def shown(request: Request, stored: Answer) -> Answer:
    """An answer as it was given. Raises Conflict where the key that closed it is gone."""
    if not _is_confidential(request):
        return stored
    opened = _seal(request).open(stored.body.decode())
    if opened is None:
        raise Conflict("La respuesta guardaba un secreto que ya no se puede mostrar.", remedy="Pida uno nuevo con POST …/secret.")
    return replace(stored, body=opened.encode())


def _is_confidential(request: Request) -> bool:
    return getattr(request.scope.get("endpoint"), "confidential", False)


def _seal(request: Request) -> Seal:
    found: Seal = request.app.state.runtime.resources["seal"]
    return found
