"""Objects become rows in one statement, as their model says."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.notifier.models import Message, Webhook
from services.ticketing.models import Customer, Suspension
from shared.bulk import COPIED, Changed, New, Records, Sql, insert, made, read, update, write
from shared.db import Database, new_id, rows

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
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


async def test_what_is_read_is_no_objects_of_the_session_and_changes_by_being_written(database: Open) -> None:
    db = await database("notifier")
    first, second = message(rules=["VIP-24"]), message()
    async with db.transaction() as session:
        await insert(session, [first, second])
    async with db.transaction() as session:
        [found] = await read(session, Message, "WHERE id = $1 FOR UPDATE", first.id)
        assert found.model_dump() == first.model_dump()
        assert found not in session
        found.subject, found.rules, found.html = "otro", [], "not written"
        await update(session, [found], "subject", "rules")
        await update(session, [], "subject")
    async with db.transaction() as session:
        kept = {each.id: each for each in await read(session, Message, "")}
    assert (kept[first.id].subject, kept[first.id].rules, kept[first.id].html) == ("otro", [], "h")
    assert kept[second.id].model_dump() == second.model_dump()


@pytest.mark.parametrize("many", [1, 2])
async def test_what_is_new_and_what_changed_is_written_at_once(database: Open, many: int) -> None:
    db = await database("notifier")
    old, new = [message(rules=["VIP-24"]) for _ in range(many)], [message(rules=["VIP-24", "ñ"]) for _ in range(many)]
    async with db.transaction() as session:
        await insert(session, old)
        for each in old:
            each.subject, each.rules, each.reply_to = "otro", [], {"name": "Ó"}
        await write(session, New([]), New(new), Changed(old, ("subject", "rules", "reply_to")), Changed([], ("subject",)))
        await write(session, New([]))
    async with db.transaction() as session:
        kept = {each.id: each.model_dump() for each in await read(session, Message, "")}
    assert kept == {each.id: each.model_dump() for each in [*old, *new]}


async def test_lists_in_rows(database: Open) -> None:
    db = await database("ticketing")
    customer = Customer(id=new_id(), external_id="1", name="Ñ", services=[])
    given: dict[str, Any] = {
        "customer_id": customer.id,
        "procedure": "",
        "delivery": "own",
        "rule": "VIP-21",
        "reason": "x",
        "agent": "ana.martinez",
    }
    orders = [made(Suspension, id=new_id(), requested_at=START, invoice_ids=ids, **given) for ids in ([new_id(), new_id()], [])]
    hook = made(Webhook, id=new_id(), url="u", types=['a"b', "c\\", "{,}"], secret="s", created_by="b", created_at=START)
    async with db.transaction() as session:
        await insert(session, [customer])
        await insert(session, orders)
        found = await read(session, Suspension, "ORDER BY id")
    assert [each.model_dump() for each in found] == [each.model_dump() for each in sorted(orders, key=lambda each: each.id)]
    other = await database("notifier")
    async with other.transaction() as session:
        await insert(session, [hook])
        assert [each.model_dump() for each in await read(session, Webhook, "")] == [hook.model_dump()]


@pytest.mark.parametrize("many", [1, 3, COPIED + 1])
async def test_rows_as_values_and_texts_of_ones_own_go_with_the_others_in_the_order_given(database: Open, many: int) -> None:
    """Many rows go by COPY: nobody sees a difference."""
    db = await database("ticketing")
    customer = Customer(id=new_id(), external_id="1", name="Ñ", services=[])
    usual = {"procedure": "", "delivery": "own", "rule": "VIP-21", "agent": "ana", "requested_at": START}
    usual |= {"state": "REQUESTED", "release_on": "full", "crossed": False, "version": 0}
    names = ("id", "customer_id", "reason", "invoice_ids", *usual)
    given = [(new_id(), customer.id, f"n.º {number}", [new_id()], *usual.values()) for number in range(many)][::-1]
    named = "UPDATE customer c SET name = t.name, agent = $3 FROM unnest($1::uuid[], $2::text[]) AS t(id, name) WHERE c.id = t.id"
    async with db.transaction() as session:
        await insert(session, [customer])
        await write(session, Records(Suspension, names, given), Sql(named, [(customer.id, "Ó")], ["luis"]), Sql(named, [], ["nobody"]))
        found = await rows(session, f"SELECT {', '.join(names)} FROM suspension ORDER BY ctid")
        assert [tuple(each) for each in found] == given
        assert [tuple(each) for each in await rows(session, "SELECT name, agent FROM customer")] == [("Ó", "luis")]


def test_what_is_made_has_what_the_model_says_where_nothing_is_given() -> None:
    given: dict[str, Any] = {
        "id": new_id(),
        "notice": "aviso",
        "event_id": new_id(),
        "event_type": "x.y.v1",
        "reference": "r",
        "subject": "s",
    }
    given |= {"text": "t", "html": "h", "created_at": START}
    assert made(Message, **given).model_dump() == Message(**given).model_dump()
    assert made(Message, **given).rules is not made(Message, **given).rules


def test_what_is_made_before_anything_else_of_a_process() -> None:
    """SQLAlchemy makes its attributes work when it is first used: that may be here."""
    code = (
        "from services.notifier.models import Assignment; from shared.bulk import made; assert made(Assignment, policy='x').policy == 'x'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
