"""Commands of one kind that come at the same time are carried out together: one transaction, set-based, for as many as have gathered.

# Note [Only what goes well]
A crowd keeps those of its commands that simply go through. Of every other nothing is kept, and it takes the ordinary way by itself, which
decides and says why: a key that was used before, a row that somebody holds, a refusal, input that is wrong. When anything at all breaks,
everybody goes the ordinary way. So there is one place that refuses, and a command that was committed without its sender hearing of it is
found there by its key. Nobody waits in a crowd for a row that somebody else holds: `Work` skips it, or LOCK_WAIT breaks the crowd up.

# Note [Two crowds]
Nobody waits for a crowd to grow while nothing is under way: whoever comes first begins, and those who come meanwhile are the next. A second
crowd begins beside the first, for while the database works for one the next is read; but only once it is as many. Otherwise those who come
back one by one from a crowd that was answered would each go alone, and pay for all statements of a transaction.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from shared import idempotency, trail
from shared.auth import Principal
from shared.discretion import told
from shared.idempotency import Answer, Command
from shared.log import current_traceparent, get_logger
from shared.operator import Operator
from shared.service import Runtime
from shared.trail import Done

log = get_logger("web")
MOST = 50  # commands in one transaction
LOCK_WAIT = "500ms"
CROWDS = 2  # under way at once: Note [Two crowds]
Given = TypeVar("Given", bound=BaseModel)


@dataclass(frozen=True)
class Asked(Generic[Given]):
    """One command: its checked body, who sent it, and the trace that its events and its audit entry belong to."""

    body: Given
    actor: Principal
    command: Command
    path: str
    raw: bytes
    traceparent: str | None


Work = Callable[[AsyncSession, Sequence[Asked[Any]], Operator, datetime], Awaitable[Sequence[Answer | None]]]
Waiting = tuple[Asked[Any], "asyncio.Future[Answer | None]"]


@dataclass(frozen=True)
class Together:
    """How the commands of a route are carried out together: `work` answers each, or None for one of which it has kept nothing."""

    model: type[BaseModel]
    work: Work


def together(model: type[BaseModel], work: Work) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark an endpoint (a POST without parameters, whose body is `model`): its commands may be carried out together."""

    def mark(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        setattr(endpoint, "together", Together(model, work))  # noqa: B010 - a function has no such attribute
        return endpoint

    return mark


class Crowds:
    """The crowds of one route of a running service."""

    def __init__(self, runtime: Runtime, how: Together) -> None:
        self._runtime, self._how = runtime, how
        self._waiting: list[Waiting] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0  # commands

    async def join(self, request: Request, actor: Principal, command: Command, raw: bytes) -> Response | None:
        """The answer of a command that went through; None when nothing of it was kept and the ordinary way is to be taken."""
        if request.scope["query_string"] or not request.headers.get("content-type", "").startswith("application/json"):
            return None
        try:
            body = self._how.model.model_validate(json.loads(raw))
        except (ValueError, RecursionError):
            return None
        asked = Asked(body, actor, command, request.scope["path"], raw, current_traceparent())
        waiting: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, waiting))
        self._go_on()
        answer = await waiting
        return None if answer is None else Response(answer.body, answer.status, answer.headers)

    def _go_on(self) -> None:
        """Let those who wait begin, if it is their turn; while a crowd is about to begin they belong to it."""
        about_to_begin = self._tasks and not self._under_way
        if self._waiting and not about_to_begin and len(self._tasks) < CROWDS and len(self._waiting) >= self._under_way:
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._go_on()

    async def _run(self) -> None:
        """Carry out a crowd: all who wait by now."""
        crowd, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        self._under_way += len(crowd)
        self._go_on()
        answers: Sequence[Answer | None] = [None] * len(crowd)
        try:
            answers = await self._carry_out([asked for asked, _ in crowd])
        except Exception as error:  # noqa: BLE001 - whatever it was, the ordinary way finds it out for each of them
            log.warning("commands go one by one", error=type(error).__name__, detail=told(error), commands=len(crowd))
        finally:
            self._under_way -= len(crowd)
            for (_, waiting), answer in zip(crowd, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)

    async def _carry_out(self, asked: Sequence[Asked[Any]]) -> list[Answer | None]:
        found: dict[Command, Answer] = {}
        async with self._runtime.database.transaction() as session:
            free = set(await idempotency.free(session, [each.command for each in asked], lock_wait=LOCK_WAIT))
            begun = list({each.command: each for each in asked if each.command in free}.values())
            now = await self._runtime.clock.now(session)
            answers = await self._how.work(session, begun, self._runtime.operator, now) if begun else []
            done = [(each, answer) for each, answer in zip(begun, answers, strict=True) if answer is not None]
            await trail.finish(session, [_kept(each, answer) for each, answer in done], now=now)
            found = {each.command: answer for each, answer in done}
        return [found.pop(each.command, None) for each in asked]


def created(shown: BaseModel, location: str, version: int) -> Answer:
    """The answer to a POST that made what stands at `location`, in this version."""
    headers = {"content-type": "application/json", "location": location, "etag": f'"{version}"'}
    return Answer(201, headers, shown.model_dump_json().encode())


def answer_of(response: Response) -> Answer:
    """What a repeated request is to get."""
    headers = {name: value for name, value in response.headers.items() if name in {"content-type", "location", "etag"}}
    return Answer(response.status_code, headers, bytes(response.body))


def _kept(asked: Asked[Any], answer: Answer) -> Done:
    return Done(asked.actor, "POST", asked.path, asked.raw, asked.command, answer, asked.traceparent)
