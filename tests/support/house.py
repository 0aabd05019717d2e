"""The whole house in one test: five services on clean databases, a simulated clock, and everything that a person of the operator can do."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from services.local import House, open_house
from services.wiring import SERVICES
from shared.db import execute, new_id, rows
from shared.operator import Operator
from shared.settings import Settings
from tests.support.history import Evidence, History, gather, violations, watching, witnessed
from tests.support.service import WEBHOOK_KEY, app_on, client_of, keys, operator
from tests.support.terminals import Terminals


@dataclass
class TestHouse(Terminals):
    """What a story needs, and a look behind the doors."""

    __test__ = False
    house: House
    maildir: Path
    stack: AsyncExitStack
    history: History = field(default_factory=History)
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.operator = self.house.operator

    def as_(self, person: str) -> httpx.AsyncClient:
        if person not in self.clients:
            self.clients[person] = client_of(self.house.app, person, using=self.operator)
            self.history.listen(self.clients[person])
            self.stack.push_async_callback(self.clients[person].aclose)
        return self.clients[person]

    async def network_answers(self, login: str, answers: str, *, slow_ms: int = 0) -> None:
        """From now on the simulated network answers so for a login: `done`, `refused`, `slow`, `unknown` (not done), `unknown_done`, by
        commas; the last one stays."""
        async with self.house.runtimes["ticketing"].database.transaction() as session:
            await execute(
                session,
                "INSERT INTO simulated_plan (login, answers, used, slow_ms) VALUES ($1, $2, 0, $3) "
                "ON CONFLICT (login) DO UPDATE SET answers = excluded.answers, used = 0, slow_ms = excluded.slow_ms",
                login,
                answers,
                slow_ms,
            )

    async def is_on(self, login: str) -> bool:
        """Is the login on, as the simulated network knows it?"""
        async with self.house.runtimes["ticketing"].database.transaction() as session:
            found = await rows(session, "SELECT active FROM simulated_service WHERE login = $1", login)
        return not found or bool(found[0].active)

    async def is_restricted(self, login: str) -> bool:
        """Does the login see nothing but the payment page, as the simulated network knows it?"""
        async with self.house.runtimes["ticketing"].database.transaction() as session:
            found = await rows(session, "SELECT restricted FROM simulated_service WHERE login = $1", login)
        return bool(found) and bool(found[0].restricted)

    async def evidence(self) -> Evidence:
        """What there is in the five databases and in the Maildir."""
        databases = {name: runtime.database.dsn for name, runtime in self.house.runtimes.items()}
        now = await self.house.runtimes["collections"].clock.now()
        maildir = self.maildir if self.maildir.exists() else None
        return await gather(databases, operator=self.operator, now=now, maildir=maildir)

    async def invariants(self) -> list[str]:
        """Whatever does not hold of I1 to I6: everything that was acknowledged is done once, everywhere, and nothing is left under way."""
        return [str(each) for each in violations(self.history, await self.evidence())]


@asynccontextmanager
async def open_test_house(
    databases: Mapping[str, str],
    folder: Path,
    *,
    start: str = "2026-03-01T00:00",
    using: Operator | None = None,
    kafka_bootstrap: str | None = None,
    smtp_url: str | None = None,
    nightly_audit: bool = False,
) -> AsyncIterator[TestHouse]:
    """Open the house on five clean databases at an instant of the operator's clock; on Kafka when its address is given. Mails go into a
    Maildir, or to the mail server whose address is given.

    When the story is over, nothing may be left under way and every invariant must hold.
    """
    documents = using or operator()
    transport: dict[str, Any] = {}
    if kafka_bootstrap is not None:
        transport = {"transport": "kafka", "kafka_bootstrap": kafka_bootstrap, "kafka_prefix": f"t{new_id().hex[-8:]}."}
    settings = {
        name: Settings(
            service=name,
            database_url=url,
            operator_folder=documents.folder,
            data_folder=folder,
            maildir=None if smtp_url else folder / "correo",
            smtp_url=smtp_url,
            clock="simulated",
            network="simulated",
            nightly_audit=nightly_audit,
            token_public_keys=[keys()[1]],
            webhook_keys=[WEBHOOK_KEY],
        ).model_copy(update=transport)
        for name, url in databases.items()
    }
    begin = datetime.fromisoformat(start).replace(tzinfo=documents.zone)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(witnessed(databases))
        stack.enter_context(watching(SERVICES))
        house = await stack.enter_async_context(
            open_house(documents, settings, begin, app_of=lambda each: stack.enter_context(app_on(each)))
        )
        opened = TestHouse(house, folder / "correo", stack)
        yield opened
        await opened.settle()
        broken = await opened.invariants()
        assert not broken, "\n".join(broken)
