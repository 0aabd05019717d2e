"""What people and other systems ask of the house while it breaks: sent, repeated under the same key, and written down."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from shared.db import new_id
from tests.support.history import History
from tests.support.processes import Gateway
from tests.support.service import token

TRY_SECONDS = 5.0
AGAIN_SECONDS = 0.2
GIVE_UP_SECONDS = 180.0
Outcome = Literal["acknowledged", "refused", "unknown"]


@dataclass
class Command:
    """One POST. `begun` and `ended` are monotonic seconds of its last try; `unknown`: nobody knows whether it was carried out."""

    kind: str
    person: str
    path: str
    body: Mapping[str, Any]
    key: str = field(default_factory=lambda: str(new_id()))
    outcome: Outcome = "unknown"
    status: int = 0
    answer: Any = None
    tries: int = 0
    replayed: bool = False
    begun: float = 0.0
    ended: float = 0.0

    @property
    def service(self) -> str:
        return self.path.split("/")[1]


class Counter:
    """The counter at which people stand: it knows everything that was asked, and how many wait for an answer."""

    def __init__(self, ports: Mapping[str, int], history: History) -> None:
        self.commands: list[Command] = []
        self.waiting = 0
        self._client = httpx.AsyncClient(transport=Gateway(ports), base_url="http://reconecta", timeout=TRY_SECONDS)
        history.listen(self._client)
        self._tokens: dict[str, str] = {}

    async def ask(self, command: Command, *, patient: bool = True) -> Command:
        """Send it until it is answered; who is not patient gives up after one try without an answer."""
        self.commands.append(command)
        self.waiting += 1
        deadline = time.monotonic() + GIVE_UP_SECONDS
        try:
            while not await self._try(command) and patient and time.monotonic() < deadline:
                await asyncio.sleep(AGAIN_SECONDS)
        finally:
            self.waiting -= 1
        return command

    async def _try(self, command: Command) -> bool:
        """One request; False when there is no answer (no connection, 5xx, still under way)."""
        command.tries += 1
        command.begun = time.monotonic()
        try:
            response = await self._client.post(command.path, json=command.body, headers=self._headers(command))
        except httpx.TransportError:
            return False
        command.status = response.status_code
        if response.status_code >= 500 or (response.status_code == 409 and "en curso" in response.text):
            return False
        command.ended, command.answer = time.monotonic(), response.json()
        command.replayed = "idempotency-replayed" in response.headers
        command.outcome = "acknowledged" if response.is_success else "refused"
        return True

    def _headers(self, command: Command) -> dict[str, str]:
        if command.person not in self._tokens:
            self._tokens[command.person] = token(command.person)
        return {"authorization": f"Bearer {self._tokens[command.person]}", "idempotency-key": command.key}

    def first_answer(self, since: float) -> float | None:
        """When the first command whose last try began after this instant was acknowledged."""
        return min((each.ended for each in self.commands if each.outcome == "acknowledged" and each.begun >= since), default=None)

    async def close(self) -> None:
        await self._client.aclose()
