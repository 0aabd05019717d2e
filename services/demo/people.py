"""The operator's people at their terminals: each with a token of their own, everything over HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import httpx

from services.installation import Installation
from shared.db import new_id
from shared.operator import Operator

TOKEN_LIFETIME = timedelta(days=7)
PAGE = 200
ANSWER_SECONDS = 600.0


class DemoFailed(Exception):
    """A step of the story was answered with something else than it should; the text is the server's."""


class People:
    """Everybody who plays a part. `post` answers JSON and raises DemoFailed for a problem; `refusal` answers the problem instead."""

    def __init__(self, operator: Operator, installation: Installation, address: str) -> None:
        self.operator, self._installation, self._address = operator, installation, address
        self._stack = AsyncExitStack()
        self._clients: dict[str, httpx.AsyncClient] = {}
        self.requests = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    def with_permission(self, permission: str, *, desk: str | None = None) -> str:
        """Whose work this is: of the people who may, the one who may least besides."""
        able = [each for each in self.operator.people if self.operator.may(each.desks, permission) and desk in (None, *each.desks)]
        return min(able, key=lambda each: sum(self.operator.may(each.desks, name) for name in self.operator.permissions)).person

    def at_desk(self, desk: str) -> str:
        """Somebody who works there."""
        return next(each.person for each in self.operator.people if desk in each.desks)

    async def get(self, person: str, path: str, **query: Any) -> Any:
        """What a GET answers."""
        return self._told(await self._client(person).get(path, params=query)).json()

    async def content(self, person: str, path: str) -> bytes:
        """The bytes that a GET answers."""
        return self._told(await self._client(person).get(path)).content

    async def every(self, person: str, path: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """The items of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(person, path, limit=PAGE, **query, **cursor)
            for item in page["items"]:
                yield item
            if not page.get("next"):
                return
            cursor = {"cursor": page["next"]}

    async def post(self, person: str, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> Any:
        """Do something; what follows from it happens by itself, soon."""
        response = self._told(await self._send(person, path, json=body or {}, headers=headers))
        return response.json() if response.content else None

    async def refusal(self, person: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Try something that a rule forbids; the problem that says so."""
        response = await self._send(person, path, json=body or {})
        if response.status_code != 409:
            raise DemoFailed(f"{person} POST {path}: se esperaba una negativa y llegó {response.status_code} {response.text[:300]}")
        return dict(response.json())

    async def upload(self, person: str, path: str, name: str, content: bytes, mapping: str) -> Any:
        """Send a file with its mapping."""
        files = {"file": (name, content, "text/csv"), "mapping": (None, mapping)}
        return self._told(await self._send(person, path, files=files)).json()

    async def advance(self, to: datetime) -> int:
        """Let business time pass; answers at how many instants it stopped."""
        person = self.with_permission("simulation.clock")
        response = await self._client(person).post("/simulation/clock", json={"advance_to": to.isoformat()})
        return int(self._told(response).json()["stops"])

    async def settle(self) -> datetime:
        """Wait until everything that was set going is done; answers business time."""
        found = await self.get(self.with_permission("simulation.clock"), "/simulation/clock")
        return datetime.fromisoformat(found["now"])

    async def _send(self, person: str, path: str, *, headers: Mapping[str, str] | None = None, **body: Any) -> httpx.Response:
        self.requests += 1
        return await self._client(person).post(path, headers={"Idempotency-Key": str(new_id()), **(headers or {})}, **body)

    def _client(self, person: str) -> httpx.AsyncClient:
        if person not in self._clients:
            token = self._installation.token(self.operator, person, TOKEN_LIFETIME)
            client = httpx.AsyncClient(
                base_url=self._address, headers={"Authorization": f"Bearer {token}"}, timeout=ANSWER_SECONDS, trust_env=False
            )
            self._stack.push_async_callback(client.aclose)
            self._clients[person] = client
        return self._clients[person]

    def _told(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        try:
            problem = response.json()
            text = " ".join(str(problem.get(name, "")) for name in ("rule", "detail", "remedy", "errors"))
        except ValueError:
            text = response.text[:300]
        raise DemoFailed(f"{response.request.method} {response.request.url.path}: {response.status_code} {text}")
