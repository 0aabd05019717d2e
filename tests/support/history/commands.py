"""What people asked for, and what they were answered: written down by the client itself, whatever load it carries."""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import httpx

from shared.settings import SERVICES

READS = frozenset({"GET", "HEAD", "OPTIONS"})
FILE = "commands.jsonl"
UNDER_WAY = re.compile("en curso")  # 409 to a second request while the first is carried out: no answer yet


class Outcome(StrEnum):
    """What the one who asked knows. UNKNOWN: it may have been done or not."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass
class Attempt:
    """A command as it was sent once. Attempts of one person with one key on one path are the same command. `path` begins with the
    service (`/billing/payments`); `answer` is the body that came back."""

    service: str
    method: str
    path: str
    person: str
    key: str = ""
    body: str = ""
    outcome: Outcome = Outcome.UNKNOWN
    status: int | None = None
    answer: str = ""

    def answered(self, status: int, text: str) -> None:
        """Draw from an answer what the one who asked knows now."""
        self.status, self.answer = status, text
        if 200 <= status < 300:
            self.outcome = Outcome.ACKNOWLEDGED
        elif 400 <= status < 500 and not (status == 409 and UNDER_WAY.search(text)):
            self.outcome = Outcome.REFUSED


@dataclass
class History:
    """Every attempt, in the order in which they were sent. `complete`: nobody else gave commands."""

    attempts: list[Attempt] = field(default_factory=list)
    complete: bool = True

    def listen(self, client: httpx.AsyncClient) -> None:
        """From now on write down each command of this client. Call it last: hooks run in their order, and one may add the key."""
        hooks = client.event_hooks
        client.event_hooks = {"request": [*hooks["request"], self._sent], "response": [*hooks["response"], self._answered]}

    async def _sent(self, request: httpx.Request) -> None:
        service = request.url.path.split("/")[1]
        if request.method in READS or service not in SERVICES:
            return
        body = await request.aread()
        text = body.decode("utf-8", "replace") if "json" in request.headers.get("content-type", "") else ""
        key = request.headers.get("idempotency-key", "")
        attempt = Attempt(service, request.method, request.url.path, person_of(request), key, text)
        request.extensions["attempt"] = attempt
        self.attempts.append(attempt)

    async def _answered(self, response: httpx.Response) -> None:
        attempt = response.request.extensions.get("attempt")
        if attempt is not None:
            await response.aread()
            attempt.answered(response.status_code, response.text)

    def commands(self) -> list["Command"]:
        """The attempts, folded into commands."""
        found: dict[tuple[str, ...], Command] = {}
        for number, each in enumerate(self.attempts):
            name = (each.service, each.method, each.path, each.person, each.key or f"#{number}")
            found.setdefault(name, Command([])).attempts.append(each)
        return list(found.values())

    def save(self, folder: Path) -> None:
        """Keep it as a file of one JSON object per line."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(asdict(each), ensure_ascii=False) for each in self.attempts]
        (folder / FILE).write_text("".join(line + "\n" for line in lines))

    @classmethod
    def load(cls, folder: Path) -> "History":
        """What `save` kept, or what somebody else wrote in the same form."""
        lines: Iterable[str] = (folder / FILE).read_text().splitlines()
        given = [json.loads(line) for line in lines if line.strip()]
        return cls([Attempt(**{**each, "outcome": Outcome(each["outcome"])}) for each in given])


@dataclass
class Command:
    """All attempts of one command."""

    attempts: list[Attempt]

    @property
    def first(self) -> Attempt:
        return self.attempts[0]

    @property
    def outcome(self) -> Outcome:
        """One acknowledgement is enough; refused only when no attempt may have been carried out."""
        outcomes = {each.outcome for each in self.attempts}
        if Outcome.ACKNOWLEDGED in outcomes:
            return Outcome.ACKNOWLEDGED
        return Outcome.UNKNOWN if Outcome.UNKNOWN in outcomes else Outcome.REFUSED

    @property
    def answers(self) -> list[Attempt]:
        """The attempts that were acknowledged."""
        return [each for each in self.attempts if each.outcome is Outcome.ACKNOWLEDGED]

    @property
    def name(self) -> str:
        """How a person finds it."""
        return f"{self.first.method} {self.first.path} of {self.first.person}" + (f", key {self.first.key}" if self.first.key else "")


def person_of(request: httpx.Request) -> str:
    """Whose token the request carries; nobody verifies it here."""
    parts = request.headers.get("authorization", "").removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return ""
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return str(claims.get("sub", ""))
