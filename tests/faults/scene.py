"""The whole house, moved by hand: nothing happens by itself, so that a test decides who comes first, and a small load that meets ill will.

Events are brought twice, a handler and a commit fail once and are tried again, one transaction commits late, two people settle one
invoice in the same moment, one event cannot be handled until its cause is mended. A house without defects bears all of that.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations import payments
from services.billing.operations.ledgers import store_ledgers
from services.billing.operations.new_payments import NewPayment
from services.billing.operations.payments import report_payment
from services.local import root_app
from services.wiring import SERVICES, open_runtime
from shared import timers, trail
from shared.calendar import BusinessCalendar
from shared.clock import SimulatedClock
from shared.courier import Courier, CourierInbox, Receiver
from shared.db import new_id, rows
from shared.events import Envelope
from shared.inbox import Inbox
from shared.lease import Lease
from shared.operator import Operator
from shared.outbox import Relay
from shared.routing import Context
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.simulation import state_of
from shared.timers import DueTimer
from tests.flows.books import residential
from tests.flows.stories import Customer, customers_of
from tests.support.history import Evidence, History, gather, watching, witnessed
from tests.support.service import client_of, keys, operator
from tests.support.terminals import Terminals

START = "2026-03-01T00:00"
ROUNDS = 60
ALARM = "prueba"


@dataclass
class Scene(Terminals):
    """Five services, each with its relay and its inbox, on the Courier."""

    operator: Operator
    runtimes: Mapping[str, Runtime]
    app: Any
    maildir: Path
    stack: AsyncExitStack
    history: History = field(default_factory=History)
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        courier = Courier({name: Receiver(each.database, each.service.events.types) for name, each in self.runtimes.items()})
        self.relays = [Relay(each.database, courier, holder="scene") for each in self.runtimes.values()]
        self.inboxes = [
            CourierInbox(Inbox(each.database, each.service.events, each.operator, each.clock), Lease(each.database, "inbox", "scene"))
            for each in self.runtimes.values()
        ]

    def as_(self, person: str) -> httpx.AsyncClient:
        if person not in self.clients:
            self.clients[person] = client_of(self.app, person)
            self.history.listen(self.clients[person])
            self.stack.push_async_callback(self.clients[person].aclose)
        return self.clients[person]

    async def now(self) -> datetime:
        return await self.runtimes["billing"].clock.now()

    async def settle(self) -> None:
        """Move whatever moves, until nothing does or it goes round in circles; what fails is tried again as a worker would."""
        left: set[tuple[str, str, int]] = set()
        for _ in range(ROUNDS):
            moved, before = await self._round(), left
            left = await self._lies_about()
            if not moved and left in (before, set()):
                return

    async def _round(self) -> bool:
        moved = False
        for step in (*(each.step for each in self.relays), *(each.step for each in self.inboxes)):
            try:
                moved = await step() or moved
            except ConnectionError:
                moved = True
        for inbox in self.inboxes:
            moved = await inbox._inbox.release() or moved
        for runtime in self.runtimes.values():
            moved = await self._work(runtime) or moved
        return moved

    async def _work(self, runtime: Runtime) -> bool:
        """What is due of a service's jobs."""
        moved = False
        for job in runtime.jobs:
            async with runtime.database.transaction() as session:
                now = await runtime.clock.now(session)
                due = await job.next_due(session, runtime.job_context(now))
            if due is not None and due <= now:
                moved = await job.run(runtime.job_context(now)) > 0 or moved
        return moved

    async def _lies_about(self) -> set[tuple[str, str, int]]:
        """What is in outboxes and inboxes: steps of this round have made it, or nobody will ever take it."""
        found = set()
        for name, runtime in self.runtimes.items():
            async with runtime.database.transaction() as session:
                for each in await rows(
                    session, "SELECT 'outbox' AS place, id FROM outbox UNION ALL SELECT 'inbox', seq FROM inbox_pending"
                ):
                    found.add((name, each.place, each.id))
        return found

    async def until(self, text: str) -> int:
        """Stop at every due instant on the way."""
        target, stops = self.instant(text), 0
        while True:
            await self.settle()
            due = [state.next_due for state in [await state_of(each) for each in self.runtimes.values()] if state.next_due]
            at = min([*due, target])
            if at > await self.now():
                stops += 1
            await self._set(at)
            if at >= target:
                await self.settle()
                return stops

    async def _set(self, instant: datetime) -> None:
        for runtime in self.runtimes.values():
            assert isinstance(runtime.clock, SimulatedClock)
            if instant > await runtime.clock.now():
                await runtime.clock.set(instant)

    async def evidence(self) -> Evidence:
        """What there is at the end."""
        databases = {name: runtime.database.dsn for name, runtime in self.runtimes.items()}
        return await gather(databases, operator=self.operator, now=await self.now(), maildir=self.maildir)


@asynccontextmanager
async def open_scene(databases: Mapping[str, str], folder: Path) -> AsyncIterator[Scene]:
    """The house on five clean databases at the operator's 1st of March 2026."""
    documents = operator()
    begin = datetime.fromisoformat(START).replace(tzinfo=documents.zone)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(witnessed(databases))
        stack.enter_context(watching(SERVICES))
        runtimes = {}
        for service in SERVICES:
            settings = Settings(
                service=service.name, database_url=databases[service.name], operator_folder=documents.folder, data_folder=folder,
                maildir=folder / "correo", clock="simulated", network="simulated", token_public_keys=[keys()[1]],
            )  # fmt: skip
            runtimes[service.name] = await stack.enter_async_context(open_runtime(service, settings, documents, begin))
        yield Scene(documents, runtimes, root_app(documents, runtimes, None), folder / "correo", stack)


class IllWill:
    """What the world does to a house: brings things twice, breaks connections, lets two people press their buttons at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.broken: set[str] = set()
        self.mended = False
        for each in (
            self.brings_everything_twice, self.breaks_handlers, self.breaks_commits, self.presses_two_buttons_at_once, self.rings_an_alarm
        ):  # fmt: skip
            each()

    def brings_everything_twice(self) -> None:
        send_to = Courier.send_to

        async def twice(courier: Courier, receiver: str, batch: Sequence[Envelope], known: int) -> None:
            await send_to(courier, receiver, batch, known)
            await send_to(courier, receiver, batch, known)

        self._patch.setattr(Courier, "send_to", twice)

    def once(self, what: str) -> None:
        """The first time this happens, the connection is gone."""
        if what not in self.broken:
            self.broken.add(what)
            raise ConnectionResetError(what)

    def breaks_handlers(self) -> None:
        """Ticketing loses its connection at the first payment that it hears of; the notifier cannot handle a cut until that is mended."""
        for name, kind, breaks in (
            ("ticketing", "billing.payment_reported.v1", lambda: self.once("handler")),
            ("notifier", "collections.suspension_requested.v1", self._poisonous),
        ):
            handlers = service_of(name).events._handlers
            self._patch.setitem(handlers, kind, _breaking(handlers[kind], breaks))

    def _poisonous(self) -> None:
        if not self.mended:
            raise ValueError("nobody had thought of this")

    def breaks_commits(self) -> None:
        """Two payments at the counter lose their connections when all but the commit is done."""
        finish = trail.finish

        async def lost(session: AsyncSession, done: Sequence[trail.Done], **options: Any) -> None:
            await finish(session, done, **options)
            for reference in (b"CAJA-1", b"CAJA-3"):
                if any(each.body and reference in each.body for each in done):
                    self.once(f"commit {reference!r}")

        self._patch.setattr(trail, "finish", lost)

    def presses_two_buttons_at_once(self) -> None:
        """Who settles a ledger waits a moment for somebody else who does the same."""
        store, meeting = store_ledgers, asyncio.Barrier(2)

        async def waits(*args: Any, **options: Any) -> None:
            if "buttons" in self.broken:
                try:
                    async with asyncio.timeout(0.3):
                        await meeting.wait()
                except (TimeoutError, asyncio.BrokenBarrierError):
                    await meeting.reset()
            await store(*args, **options)

        self._patch.setattr(payments, "store_ledgers", waits)

    def rings_an_alarm(self) -> None:
        """Ticketing has a timer of this test."""

        async def ring(context: Context, timer: DueTimer) -> None:
            """That it rang is written down by the watch."""

        self._patch.setitem(service_of("ticketing").timers.handlers, ALARM, ring)


def service_of(name: str) -> Service:
    """A service as its app.py wires it."""
    return next(each for each in SERVICES if each.name == name)


def _breaking(handler: Any, breaks: Any) -> Any:
    async def handle(context: Context, events: Any) -> None:
        breaks()
        await handler(context, events)

    return handle


async def load(scene: Scene, will: IllWill) -> None:
    """March of three homes: one pays in two parts, one is cut and comes back, one pays while another transaction is still open."""
    parts, cut, late = await customers_of(scene, *(residential(f"R-{n}", f"Familia {n}") for n in (1, 2, 3)))
    await scene.until("2026-03-04T09:00")
    total = Decimal((await parts.invoice())["total"]["amount"])
    first = await parts.reports_payment("10.00", "TRF-1")
    second = await parts.reports_payment(str(total - 10), "TRF-2")
    await _alarms(scene)
    await _at_once(scene, will, [first["id"], second["id"]])
    await _late(scene, late, meanwhile=lambda: parts.reports_payment("5.00", "TRF-3"))
    await _repeated(scene, cut)
    await scene.until("2026-03-21T10:00")  # the policy has cut who owes; one desk's mail about it could not be written
    will.mended = True
    for key in sorted({letter["key"] for letter in (await scene.get("/notifier/dead-letters"))["items"]}):
        await scene.post(f"/notifier/dead-letters/{key}/replay")
    await cut.reports_payment()
    await scene.settle()


async def _alarms(scene: Scene) -> None:
    """One timer that will fire, and one that is taken back."""
    database, now = scene.runtimes["ticketing"].database, await scene.now()
    async with database.transaction() as session:
        for key in ("rings", "is cancelled"):
            await timers.arm(session, kind=ALARM, key=key, due_at=now + timedelta(hours=1))
    async with database.transaction() as session:
        await timers.cancel(session, kind=ALARM, key="is cancelled")


async def _at_once(scene: Scene, will: IllWill, ids: Sequence[str]) -> None:
    """Two people confirm two payments of one invoice."""
    will.broken.add("buttons")
    desk = scene.as_("ines.reyes")
    await asyncio.gather(*(desk.post(f"/billing/payments/{each}/confirm", json={}) for each in ids))
    will.broken.discard("buttons")
    await scene.settle()


async def _late(scene: Scene, customer: Customer, meanwhile: Any) -> None:
    """A bank's payment is written in a transaction that ends after another one that began later."""
    billing, now = scene.runtimes["billing"], await scene.now()
    today = BusinessCalendar(scene.operator).today(now)
    given = NewPayment(
        customer_id=UUID(customer.id),
        channel="banco",
        reference="TRF-4",
        amount=Decimal(5),
        currency="USD",
        paid_on=today,
        reported_by="banco",
    )
    async with billing.database.transaction() as session:
        await report_payment(session, payment=given, today=today, now=now)
        await meanwhile()
        await scene.settle()
    await scene.settle()


async def _repeated(scene: Scene, customer: Customer) -> None:
    """A command that fails at its end and is sent again; the same again; another one under its key; and one whose sender gives up."""
    body = {
        "customer_id": customer.id, "amount": {"amount": "1.00", "currency": "USD"}, "channel": "caja", "reference": "CAJA-1",
        "paid_on": "2026-03-04",
    }  # fmt: skip
    desk, key = scene.as_("ines.reyes"), {"Idempotency-Key": str(new_id())}
    for changes in ({}, {}, {}, {"reference": "CAJA-2"}):
        await desk.post("/billing/payments", json={**body, **changes}, headers=key)
    await desk.post("/billing/payments", json={**body, "reference": "CAJA-3"})
    await scene.settle()
