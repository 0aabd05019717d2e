"""PostgreSQL as a witness: triggers write down what changes, in the transaction that changes it. What is rolled back was never there.

Nothing of ours is asked: it works for one process and for ten, whatever the transport, and whatever is broken in the code under test.
`watching` adds what no table shows: which event a handler had in hand, and which timer, in the order in which it was so.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from shared.db import execute
from shared.events import Envelope
from shared.routing import Context, EventRouter
from shared.service import Service
from shared.timers import DueTimer

# What is written down: the messaging tables of every service, and the aggregates whose versions its events carry.
MESSAGING = ("outbox", "inbox", "parked_event", "timer", "idempotency_key", "audit_entry")
AGGREGATES = {
    "billing": {"customer": "customer", "invoice": "invoice", "payment": "payment", "billing_run": "billing_run"},
    "collections": {"account": "account"},
    "ticketing": {"ticket": "ticket", "suspension": "suspension", "switch": "network_switch"},
    "notifier": {"message": "message"},
    "noc": {"outage": "outage"},
}
NEEDLESS = "ARRAY['document', 'html', 'text', 'contacts', 'services', 'traceparent']"
SCHEMA = f"""
CREATE SCHEMA witness;
CREATE TABLE witness.seen (at bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint, what text NOT NULL, op text NOT NULL, data jsonb NOT NULL);
GRANT USAGE ON SCHEMA witness TO PUBLIC;
GRANT INSERT ON witness.seen TO PUBLIC;
CREATE FUNCTION witness.write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO witness.seen (what, op, data) SELECT TG_TABLE_NAME, TG_OP, to_jsonb(changed) - {NEEDLESS} FROM changed;
    RETURN NULL;
END $$;
"""
TRIGGER = """CREATE TRIGGER witness_{op} AFTER {op} ON {table} REFERENCING {which} TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION witness.write()"""
OPERATIONS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}
WRITE = "INSERT INTO witness.seen (what, op, data) SELECT "
IN_HAND = "in hand"  # of a session: the events of a batch that are handled and not written down yet
HANDLED = f"{WRITE} 'event', 'HANDLED', jsonb_build_object('event_id', id) FROM unnest($1::uuid[]) AS id"
FIRED = f"{WRITE} 'timer', 'FIRED', jsonb_build_object('kind', $1::text, 'key', $2::text, 'due_at', $3::timestamptz)"


@asynccontextmanager
async def witnessed(databases: Mapping[str, str]) -> AsyncIterator[None]:
    """Have these databases (addresses of their owners or of a superuser, by service) written down until the block ends."""
    await install(databases)
    try:
        yield
    finally:
        await remove(databases)


async def install(databases: Mapping[str, str]) -> None:
    """From now on everything is written down."""
    for service, address in databases.items():
        await _run(address, _triggers(service))


async def remove(databases: Mapping[str, str]) -> None:
    """Forget all of it."""
    for address in databases.values():
        await _run(address, ["DROP SCHEMA witness CASCADE"])


def _triggers(service: str) -> Iterator[str]:
    yield SCHEMA
    for table in (*MESSAGING, *AGGREGATES.get(service, {}).values()):
        for op, which in OPERATIONS.items():
            yield TRIGGER.format(op=op, table=table, which=which)


async def _run(address: str, statements: Iterable[str]) -> None:
    connection = await asyncpg.connect(address.replace("+asyncpg", ""), timeout=10)
    try:
        async with connection.transaction():
            for each in statements:
                await connection.execute(each, timeout=30)
    finally:
        await connection.close(timeout=5)


@contextmanager
def watching(services: Iterable[Service]) -> Iterator[None]:
    """Have the handlers of these services, as they run in this process, write down what they had in hand; their databases are witnessed."""
    undo: list[Callable[[], None]] = []
    for service in services:
        for handlers, wrapped in ((service.events._handlers, _handled), (service.timers.handlers, _fired)):
            undo.append(_wrap(handlers, wrapped))
        undo.append(_together(service.events))
    try:
        yield
    finally:
        for each in undo:
            each()


def _wrap(handlers: dict[str, Any], wrapped: Callable[[Any], Any]) -> Callable[[], None]:
    before = dict(handlers)
    handlers.update({kind: wrapped(handler) for kind, handler in before.items()})
    return lambda: handlers.update(before)


def _together(router: EventRouter) -> Callable[[], None]:
    """What one batch handles is written down by one statement, at its end."""
    dispatch = router.dispatch

    async def dispatched(context: Context, envelopes: Sequence[Envelope]) -> None:
        batch = context.session.info[IN_HAND] = []
        try:
            await dispatch(context, envelopes)
        finally:
            del context.session.info[IN_HAND]
        if batch:
            await execute(context.session, HANDLED, batch)

    router.dispatch = dispatched  # type: ignore[method-assign]
    return lambda: setattr(router, "dispatch", dispatch)


def _handled(handler: Any) -> Any:
    async def handle(context: Context, events: Any) -> None:
        await handler(context, events)
        if (batch := context.session.info.get(IN_HAND)) is None:
            await execute(context.session, HANDLED, list(context.event_ids))
        else:
            batch.extend(context.event_ids)

    return handle


def _fired(handler: Any) -> Any:
    async def fire(context: Context, timer: DueTimer) -> None:
        await handler(context, timer)
        await execute(context.session, FIRED, timer.kind, timer.key, timer.due_at)

    return fire
