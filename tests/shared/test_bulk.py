"""Objects become rows in one statement, as their model says."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from services.notifier.models import Message
from shared.bulk import insert
from shared.db import Database, new_id, rows

Open = Callable[[str], Awaitable[Database]]
THERE = "ON CONFLICT ON CONSTRAINT uq_message_event DO NOTHING"


def message(**changes: Any) -> Message:
    given = {
        "notice": "aviso",
        "event_id": new_id(),
        "event_type": "x.y.v1",
        "reference": "r",
        "subject": "Ñandú",
        "text": "t",
        "html": "h",
    }
    return Message(**{**given, "created_at": datetime(2026, 3, 1, 6, tzinfo=UTC), **changes})


async def test_rows_hold_what_the_objects_do(database: Open) -> None:
    db = await database("notifier")
    answered = message(
        rules=["VIP-24", "ñ"], recipients=[{"name": "Ana", "address": None}], reply_to={"name": "Ó"}, attached_invoice_id=new_id()
    )
    plain = message()
    async with db.transaction() as session:
        assert await insert(session, []) == set()
        assert await insert(session, [answered, plain], but=THERE) == {answered.id, plain.id}
    async with db.transaction() as session:
        for each in (answered, plain):
            found = await session.get(Message, each.id)
            assert found is not None
            assert found.model_dump() == each.model_dump()
        nothing = await rows(session, "SELECT id FROM message WHERE reply_to IS NULL")
        assert [row.id for row in nothing] == [plain.id], "no JSON null where there is nothing"


async def test_what_is_there_already_stays_and_is_not_answered(database: Open) -> None:
    db = await database("notifier")
    first, other = message(subject="first"), message()
    again = message(event_id=first.event_id, subject="again")
    async with db.transaction() as session:
        await insert(session, [first], but=THERE)
        assert await insert(session, [again, other], but=THERE) == {other.id}
    async with db.transaction() as session:
        assert sorted(row.subject for row in await rows(session, "SELECT subject FROM message")) == ["first", "Ñandú"]


async def test_it_belongs_to_the_transaction(database: Open) -> None:
    db = await database("notifier")
    kept = message()
    async with db.transaction() as session:
        session.add(kept)
        await insert(session, [message()])
        await session.rollback()
    async with db.transaction() as session:
        assert await rows(session, "SELECT 1 FROM message") == []
