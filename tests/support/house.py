"""The whole house in one test: five services on clean databases, a simulated clock, and everything that a person of the operator can do."""

import email
import email.policy
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx

from services.billing.queries.invariants import invariants as billing_invariants
from services.local import House, open_house
from shared.db import new_id, rows
from shared.operator import Operator
from shared.settings import Settings
from tests.support.service import client_of, keys, operator

LEFTOVERS = """SELECT 'outbox' AS place, type, '' AS detail FROM outbox UNION ALL SELECT 'held', type, receiver FROM outbox_held
UNION ALL SELECT 'inbox', type, '' FROM inbox_pending UNION ALL SELECT 'parked ' || reason, type, detail FROM parked_event"""


@dataclass
class TestHouse:
    """What a story needs: people with clients, time, files that come in, mails that went out."""

    __test__ = False
    house: House
    maildir: Path
    stack: AsyncExitStack
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def as_(self, person: str) -> httpx.AsyncClient:
        """The one address as this person sees it (`/billing/…`, `/collections/…`)."""
        if person not in self.clients:
            self.clients[person] = client_of(self.house.app, person, using=self.house.operator)
            self.stack.push_async_callback(self.clients[person].aclose)
        return self.clients[person]

    def instant(self, text: str) -> datetime:
        """`2026-03-27T09:00` on the operator's clock."""
        return datetime.fromisoformat(text).replace(tzinfo=self.house.operator.zone)

    async def until(self, text: str) -> int:
        """Let business time pass until `2026-03-27T09:00` of the operator's clock, through the conductor. Answers the number of stops."""
        assert self.house.conductor is not None
        return await self.house.conductor.advance(self.instant(text))

    async def settle(self) -> None:
        """Wait until nothing is under way; time stands still."""
        assert self.house.conductor is not None
        await self.house.conductor.settle()

    async def now(self) -> datetime:
        return await self.house.runtimes["billing"].clock.now()

    async def import_file(self, text: str, mapping: str) -> dict[str, Any]:
        """Send a CSV file with its mapping (YAML) to billing as its people do, and answer the finished import."""
        files = {"file": ("libro.csv", text.encode(), "text/csv"), "mapping": ("mapa.yaml", mapping.encode(), "application/yaml")}
        response = await self.as_("ines.reyes").post("/billing/imports", files=files)
        assert response.status_code == 202, response.text
        await self.settle()
        found = await self.as_("ines.reyes").get(f"/billing/imports/{response.json()['id']}")
        return dict(found.raise_for_status().json())

    async def get(self, path: str, person: str = "admin", **query: Any) -> Any:
        """What a GET answers, as JSON; anything but 200 fails the test with the problem's text."""
        response = await self.as_(person).get(path, params=query)
        assert response.status_code == 200, f"{path}: {response.text}"
        return response.json()

    async def post(self, path: str, body: Mapping[str, Any] | None = None, person: str = "admin", **headers: str) -> Any:
        """Do something, let all that follows from it happen, and answer the response's JSON; a problem fails the test with its text."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.as_(person).post(path, json=body or {}, headers=given)
        assert response.is_success, f"{path}: {response.text}"
        await self.settle()
        return response.json() if response.content else None

    def mails(self, to: str | None = None, subject: str | None = None) -> list[EmailMessage]:
        """The mails in the Maildir in the order of their dates, to this address and with this in the subject."""
        found = []
        for path in sorted(self.maildir.glob("new/*")) + sorted(self.maildir.glob("cur/*")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            if (to is None or to in str(message["To"])) and (subject is None or subject in str(message["Subject"])):
                found.append(message)
        return sorted(found, key=lambda each: str(each["Date"].datetime if each["Date"] else ""))

    async def invariants(self) -> list[str]:
        """Whatever does not hold: nothing may be under way or dead, the ledger adds up, every status is what its facts say."""
        found = []
        for name, runtime in self.house.runtimes.items():
            async with runtime.database.transaction() as session:
                found += [f"{name}: {row.place} {row.type} {row.detail}" for row in await rows(session, LEFTOVERS)]
        async with self.house.runtimes["billing"].database.transaction() as session:
            found += [f"billing: {each}" for each in await billing_invariants(session)]
        return found


@asynccontextmanager
async def open_test_house(
    databases: Mapping[str, str],
    folder: Path,
    *,
    start: str = "2026-03-01T00:00",
    using: Operator | None = None,
    kafka_bootstrap: str | None = None,
) -> AsyncIterator[TestHouse]:
    """Open the house on five clean databases at an instant of the operator's clock; on Kafka when its address is given.

    When the story is over, nothing may be left under way and every invariant must hold.
    """
    documents = using or operator()
    transport = (
        {}
        if kafka_bootstrap is None
        else {"transport": "kafka", "kafka_bootstrap": kafka_bootstrap, "kafka_prefix": f"t{new_id().hex[-8:]}."}
    )
    settings = {
        name: Settings(
            service=name,
            database_url=url,
            operator_folder=documents.folder,
            data_folder=folder,
            maildir=folder / "correo",
            clock="simulated",
            network="simulated",
            token_public_keys=[keys()[1]],
        ).model_copy(update=transport)
        for name, url in databases.items()
    }
    begin = datetime.fromisoformat(start).replace(tzinfo=documents.zone)
    async with AsyncExitStack() as stack, open_house(documents, settings, begin) as house:
        opened = TestHouse(house, folder / "correo", stack)
        yield opened
        await opened.settle()
        broken = await opened.invariants()
        assert not broken, "\n".join(broken)
