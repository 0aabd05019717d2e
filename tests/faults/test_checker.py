"""The judge can say no: defects planted in the real code path, each under the same small load, and the load without a defect."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations import ledgers
from services.notifier.adapters import maildir
from services.notifier.adapters.maildir import Maildir
from services.notifier.rules.states import Outcome
from services.ticketing.adapters.network import SimulatedNetwork
from services.ticketing.operations.switches import Answer
from shared import idempotency, outbox, parking, timers, trail
from shared.bulk import Part, write
from shared.courier import CourierInbox
from shared.db import Database, execute, new_id, rows
from shared.events import Envelope
from shared.inbox import Inbox
from shared.jobs import JobContext
from shared.outbox import Outgoing
from shared.routing import Context
from shared.timers import TimerRouter
from tests.faults.scene import IllWill, load, open_scene, service_of
from tests.support.history import Evidence, History, Violation, violations
from tests.support.history.evidence import Held, Seen, Told

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
DEFECTS: dict[str, tuple[Plant, str, str]] = {}


def defect(invariant: str, words: str) -> Callable[[Plant], Plant]:
    """A defect, and what the judge must say of it."""

    def register(plant: Plant) -> Plant:
        DEFECTS[plant.__name__] = (plant, invariant, words)
        return plant

    return register


async def judged(databases: dict[str, str], folder: Path, monkeypatch: Patch, plant: Plant | None = None) -> list[Violation]:
    """What the judge says of the small load, as it reads it from files."""
    will = IllWill(monkeypatch)
    if plant is not None:
        plant(monkeypatch)
    async with open_scene(databases, folder) as scene:
        await load(scene, will)
        scene.history.save(folder)
        (await scene.evidence()).save(folder)
    return violations(History.load(folder), Evidence.load(folder))


async def test_a_house_without_defects_bears_all_of_it(databases: dict[str, str], tmp_path: Path, monkeypatch: Patch) -> None:
    assert [str(each) for each in await judged(databases, tmp_path, monkeypatch)] == []


@defect("I5", "0 times in its inbox")
def a_relay_that_reads_behind_a_cursor(patch: Patch) -> None:
    """`WHERE id > last`: what commits late is jumped over."""
    last: dict[str, int] = defaultdict(int)

    async def behind(session: AsyncSession, sql: str, *args: Any) -> Any:
        if "FROM outbox " not in sql or "ORDER BY id" not in sql:
            return await rows(session, sql, *args)
        name = str((await rows(session, "SELECT current_database() AS name"))[0].name)
        found = await rows(session, sql.replace("FROM outbox ", f"FROM (SELECT * FROM outbox WHERE id > {last[name]}) AS outbox "), *args)
        last[name] = max([last[name], *(row.id for row in found)])
        return found

    patch.setattr(outbox, "rows", behind)


@defect("I1", "handled an event 2 times")
def an_inbox_that_forgets_what_it_had(patch: Patch) -> None:
    """Every copy is handled."""
    claim = Inbox._claim

    async def claims_all(self: Inbox, session: AsyncSession, envelopes: list[Envelope]) -> tuple[list[Envelope], bool]:
        _, parked = await claim(self, session, envelopes)
        return list(envelopes), parked

    patch.setattr(Inbox, "_claim", claims_all)


@defect("I5", "0 times in its inbox")
def an_inbox_that_acknowledges_before_it_commits(patch: Patch) -> None:
    """The pending event is gone whatever becomes of its handling."""
    settle = CourierInbox._settle

    async def at_once(self: CourierInbox, session: AsyncSession, arrivals: Any) -> None:
        async with self._inbox.database.transaction() as other:
            await settle(self, other, arrivals)

    patch.setattr(CourierInbox, "_settle", at_once)


@defect("I1", "acknowledged command was never committed")
def a_command_that_is_answered_before_it_commits(patch: Patch) -> None:
    """The connection is lost, and the client has its 201 already."""
    finish = trail.finish

    async def answered(session: AsyncSession, *args: Any, **options: Any) -> None:
        try:
            await finish(session, *args, **options)
        except ConnectionResetError:
            await session.rollback()

    patch.setattr(trail, "finish", answered)


@defect("I1", "fired a timer 2 times")
def a_timer_that_fires_twice(patch: Patch) -> None:
    """It is taken away after it has fired, in a transaction of its own, and the first such transaction is lost."""
    taken: set[str] = set()

    take = timers.TAKE
    peek = take[take.index("SELECT kind, key FROM timer") : take.index(") RETURNING")]
    fire_one = timers._fire_one

    async def fires_first(router: TimerRouter, context: JobContext) -> bool:
        found = await fire_one(router, context)
        async with context.database.transaction() as session:
            for row in await rows(session, "SELECT kind, key FROM timer WHERE due_at <= $1", context.now) if found else ():
                if row.key in taken:
                    await execute(session, "DELETE FROM timer WHERE kind = $1 AND key = $2", row.kind, row.key)
                taken.add(row.key)
        return found

    patch.setattr(timers, "TAKE", peek.replace("SELECT kind, key", "SELECT kind, key, due_at, payload::text AS payload"))
    patch.setattr(timers, "_fire_one", fires_first)


@defect("I4", "el saldo de cada factura es lo que suman sus asientos")
def a_balance_that_is_read_without_a_lock(patch: Patch) -> None:
    """Of two who settle one invoice the second overwrites what the first has written."""
    for name in ("CUSTOMERS", "INVOICES", "PAYMENTS"):
        patch.setattr(ledgers, name, getattr(ledgers, name).replace("FOR UPDATE", ""))


@defect("I2", "were committed apart")
def an_event_in_a_transaction_of_its_own(patch: Patch) -> None:
    """It is out before the change that it tells of, or without it."""

    async def apart(session: AsyncSession, items: list[Outgoing], *, now: Any, beside: Sequence[Part]) -> None:
        await write(session, *beside)
        bind: Any = session.bind
        database = Database(bind.url.render_as_string(hide_password=False), service="billing", pool_size=1)
        try:
            async with database.transaction() as other:
                await outbox.publish_many(other, items, now=now)
        finally:
            await database.close()

    patch.setattr(ledgers, "publish_many", apart)


@defect("I3", "after version")
def a_relay_that_takes_the_newest_first(patch: Patch) -> None:
    """As two relays do that skip each other's locks."""

    async def newest(session: AsyncSession, sql: str, *args: Any) -> Any:
        found = await rows(session, sql, *args)
        return list(reversed(found)) if "FROM outbox " in sql and "ORDER BY id" in sql else found

    patch.setattr(outbox, "rows", newest)


@defect("I1", "a mail is there 2 times after 1 tries")
def a_mail_that_is_sent_twice(patch: Patch) -> None:
    """The mail server gets each one again."""
    name_of, send = maildir.file_name, Maildir.send

    async def twice(self: Maildir, mail: Any, *, sender: str, recipient: str) -> Outcome:
        await send(self, mail, sender=sender, recipient=recipient)
        return await send(self, mail, sender=sender, recipient=recipient)

    patch.setattr(maildir, "file_name", lambda mail: f"{name_of(mail)}.{new_id()}")
    patch.setattr(Maildir, "send", twice)


@defect("I1", "a switch that is DONE changed the network 0 times")
def a_network_that_was_never_called(patch: Patch) -> None:
    """The switch is taken for done."""

    async def asked(self: SimulatedNetwork, claim: Any) -> Any:
        return Answer("done")

    patch.setattr(SimulatedNetwork, "switch", asked)


@defect("I1", "does not know what it was told of")
def a_handler_that_swallows_its_error(patch: Patch) -> None:
    """The event counts as handled, and nothing has come of it."""
    handlers = service_of("ticketing").events._handlers
    kind = "billing.payment_reported.v1"
    handler = handlers[kind]

    async def swallows(context: Context, events: Any) -> None:
        try:
            async with context.session.begin_nested():
                await handler(context, events)
                raise ValueError("something is odd")
        except ValueError:
            pass

    patch.setitem(handlers, kind, swallows)


@defect("I1", "audit entries")
def a_command_that_nobody_wrote_down(patch: Patch) -> None:
    """The key is kept, who did it is not."""

    async def forgets(session: AsyncSession, sql: str, *args: Any) -> int:
        count = await execute(session, sql, *args)
        await execute(session, "DELETE FROM audit_entry")
        return count

    patch.setattr(trail, "execute", forgets)


@defect("I2", "two different requests under one key were both acknowledged")
def a_key_that_answers_for_another_request(patch: Patch) -> None:
    """Whoever uses a key again gets the old answer, whatever it asks for."""
    patch.setattr(idempotency, "fingerprint", lambda *parts: "the same")


@defect("I1", "handled an event 0 times")
def a_dead_letter_that_is_dropped(patch: Patch) -> None:
    """What cannot be handled is logged and forgotten."""

    async def drops(session: AsyncSession, *args: Any, **options: Any) -> None:
        """As a framework does after ten tries."""

    patch.setattr(parking, "bury", drops)


@defect("I3", "after version")
def parked_events_that_go_on_in_any_order(patch: Patch) -> None:
    """Those behind a dead letter overtake each other when it is mended."""
    patch.setattr(parking, "HEADS", parking.HEADS.replace("ORDER BY key, sender, id", "ORDER BY key, sender, id DESC"))


@pytest.mark.slow
@pytest.mark.parametrize("name", DEFECTS)
async def test_a_planted_defect_is_caught(name: str, databases: dict[str, str], tmp_path: Path, monkeypatch: Patch) -> None:
    plant, invariant, words = DEFECTS[name]
    found = await judged(databases, tmp_path, monkeypatch, plant)
    caught = [each for each in found if each.invariant == invariant and words in str(each)]
    assert caught, "\n".join(map(str, found)) or "the judge saw nothing"


def in_topics(*places: tuple[str, int, str]) -> list[str]:
    """What the judge says of topics that hold these (event, version, text), when the NOC told e1 and e2."""

    def told(event_id: str, sequence: int, text: str) -> Told:
        return Told(event_id, "noc.noticed.v1", "noc", "thing/1", sequence, "SPS-1", {"text": text})

    outbox_rows: list[dict[str, Any]] = [
        {
            "id": n,
            "event_id": f"e{n}",
            "type": "noc.noticed.v1",
            "subject": "thing/1",
            "sequence": n,
            "key": "SPS-1",
            "data": '{"text": "a"}',
        }
        for n in (1, 2)
    ]
    seen = [Seen(row["id"], row["id"], "outbox", "INSERT", row) for row in outbox_rows]
    tables: dict[str, list[Any]] = defaultdict(list)
    evidence = Evidence("2026-03-01T00:00:00+00:00", {"noc": Held(tables, seen, witnessed=True)}, [told(*each) for each in places])
    evidence.injected = ["poison"]
    return [each.what for each in violations(None, evidence)]


def test_topics_hold_what_was_told_in_its_order() -> None:
    """Copies are the receivers' affair; what the load itself put there is not judged."""
    one, two = ("e1", 1, "a"), ("e2", 2, "a")
    assert in_topics(one, one, two, one, ("poison", 7, "?")) == []
    assert in_topics(two, one) == ["version 2 stands behind version 0 in a topic", "version 1 stands behind version 2 in a topic"]
    assert in_topics(one) == ["an event is not in its topic"]
    assert in_topics(one, ("e2", 2, "b")) == ["an event stands in its topic other than it was told"]
    assert "a topic has an event that nobody told" in in_topics(one, two, ("e3", 3, "a"))
