"""Quiet hours and messages per day: what a customer's policy allows, whatever happens when; desks never wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.app import SERVICE
from services.notifier.rules.hours import Booked, place
from shared.db import Database, rows
from shared.events.notifier import MessageAccepted
from shared.operator import Operator
from shared.operator.notices import MessageLimits
from tests.notifier.peers import mail_server
from tests.notifier.samples import background, golden, read_mails
from tests.support.rules import rule
from tests.support.service import Served, operator, serve
from tests.support.transport import until

ZONE = ZoneInfo("America/Tegucigalpa")
OpenDatabase = Callable[[str], Awaitable[Database]]
PAID = "billing.payment_confirmed.v1"


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of March 2026 on the operator's clock."""
    return datetime(2026, 3, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


def limits(**given: Any) -> MessageLimits:
    return MessageLimits.model_validate({"hours": {"opens": "07:00", "closes": "20:00"}, **given})


def using(allowed: MessageLimits, **urgent: bool) -> Operator:
    """The shipped operator, whose policies allow this and whose notices are as urgent as said."""
    documents = operator()
    policies = {code: each.model_copy(update={"messages": {"email": allowed}}) for code, each in documents.policies.items()}
    notices = {code: each.model_copy(update={"urgent": urgent.get(code, False)}) for code, each in documents.notices.items()}
    return documents.model_copy(update={"policies": policies, "notices": notices})


@given(
    arrivals=st.lists(st.integers(0, 6 * 24 * 60), min_size=1, max_size=25),
    opens=st.integers(0, 22),
    length=st.integers(1, 20),
    per_day=st.none() | st.integers(1, 3),
    beyond=st.sampled_from(["merge", "next_day"]),
)
def test_nothing_goes_outside_the_hours_or_beyond_the_day(
    arrivals: list[int], opens: int, length: int, per_day: int | None, beyond: str
) -> None:
    hours = {"opens": time(opens), "closes": time(min(opens + length, 23), 59)}
    allowed = MessageLimits.model_validate({"hours": hours, "per_day": per_day, "beyond": beyond})
    booked: dict[date, list[Booked]] = {}
    instants: dict[Any, datetime] = {}
    for minute in sorted(arrivals):
        now = at(1, 0) + timedelta(minutes=minute)
        current = {day: [Booked(each.delivery_id, "", instants[each.delivery_id] > now) for each in mails] for day, mails in booked.items()}
        found = place(allowed, ZONE, now, current)
        local = found.at.astimezone(ZONE)
        assert found.at >= now and hours["opens"] <= local.time() < hours["closes"]
        assert (found.at > now) <= bool(found.held), "what waits says why"
        if found.joins is not None:
            assert beyond == "merge" and instants[found.joins.delivery_id] == found.at > now
            continue
        assert found.day == local.date()
        key = uuid4()
        instants[key] = found.at
        booked.setdefault(found.day, []).append(Booked(key, "", True))
        assert per_day is None or len(booked[found.day]) <= per_day


async def states(served: Served) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await served.as_("ana.martinez").get("/messages")).json()["items"]
    return found[::-1]


def when(mails: Sequence[EmailMessage]) -> list[str]:
    return [str(each["Subject"]) for each in mails]


async def test_a_message_outside_the_hours_waits_and_says_so(database: OpenDatabase, tmp_path: Path) -> None:
    async with serve(SERVICE, await database("notifier"), at(28, 22), using=using(limits()), maildir=tmp_path) as served:
        await served.deliver(*background("residencial"), golden(PAID))
        await served.work()
        [waiting] = await states(served)
        assert waiting["state"] == "QUEUED" and read_mails(tmp_path) == []
        assert datetime.fromisoformat(waiting["waits_until"]) == at(29, 7) == await served.next_due()
        assert waiting["waits_because"] == "Está fuera del horario de mensajes (07:00 a 20:00): espera a que empiece."
        await served.at(at(29, 6, 59))
        assert read_mails(tmp_path) == []
        await served.at(at(29, 7))
        [told] = await served.published(MessageAccepted)
        [sent] = await states(served)
    assert told.event.accepted_at == at(29, 7) and len(read_mails(tmp_path)) == 1
    assert (sent["state"], sent["waits_until"], sent["waits_because"]) == ("ACCEPTED", None, "")


@rule("RES-3")
async def test_the_months_invoice_made_at_half_past_midnight_reaches_homes_at_seven_and_is_dated_so(
    database: OpenDatabase, tmp_path: Path
) -> None:
    """The billing run is at 00:30; the shipped policy says from seven on."""
    async with serve(SERVICE, await database("notifier"), at(1, 0, 30), maildir=tmp_path) as served:
        await served.deliver(*background("residencial"), golden("collections.invoice_dispatch_requested.v1"))
        await served.at(at(1, 6, 59))
        assert read_mails(tmp_path) == []
        await served.at(at(1, 7))
        [told] = await served.published(MessageAccepted)
        [found] = await states(served)
        source = await served.as_("ana.martinez").get(f"/messages/{found['id']}/source")
    [mail] = read_mails(tmp_path)
    assert told.event.accepted_at == parsedate_to_datetime(str(mail["Date"])) == at(1, 7)
    assert str(mail["Date"]) in source.text


async def test_desks_and_urgent_notices_never_wait(database: OpenDatabase, tmp_path: Path) -> None:
    documents = using(limits(per_day=1), pago_rechazado=True)
    async with serve(SERVICE, await database("notifier"), at(28, 22), using=documents, maildir=tmp_path) as served:
        await served.deliver(*background(), golden("collections.suspension_notice_requested.v1", notice="aviso_suspension_vip"))
        await served.deliver(golden("billing.payment_rejected.v1"), golden("billing.payment_rejected.v1"))
        await served.work()
        assert {each["state"] for each in await states(served)} == {"ACCEPTED"}
    assert len(read_mails(tmp_path)) == 5 + 2


async def test_a_second_message_of_the_day_waits_for_the_next_one(database: OpenDatabase, tmp_path: Path) -> None:
    documents = using(limits(per_day=1, beyond="next_day"))
    async with serve(SERVICE, await database("notifier"), at(28, 10), using=documents, maildir=tmp_path) as served:
        await served.deliver(*background("residencial"), *(golden(PAID, reference=f"TRX-{n}") for n in range(3)))
        await served.work()
        due = [each["waits_until"] and datetime.fromisoformat(each["waits_until"]) for each in await states(served)]
        assert due == [None, at(29, 7), at(30, 7)]
        assert "a lo sumo 1" in (await states(served))[1]["waits_because"]
        await served.at(at(31, 12))
        accepted = [each.event.accepted_at for each in await served.published(MessageAccepted)]
    assert accepted == [at(28, 10), at(29, 7), at(30, 7)] and len(read_mails(tmp_path)) == 3


async def test_messages_that_wait_for_the_same_day_go_in_one_mail(database: OpenDatabase, tmp_path: Path) -> None:
    documents = using(limits(per_day=1, beyond="merge"))
    async with serve(SERVICE, await database("notifier"), at(28, 10), using=documents, maildir=tmp_path) as served:
        await served.deliver(*background("residencial"), golden(PAID, reference="TRX-1"))
        await served.work()
        await served.deliver(golden(PAID, reference="TRX-2"))
        await served.deliver(golden("collections.invoice_dispatch_requested.v1"), golden(PAID, reference="TRX-4"))
        await served.at(at(31, 12))
        told = await served.published(MessageAccepted)
        found = await states(served)
        source = await served.as_("ana.martinez").get(f"/messages/{found[-1]['id']}/source")
    first, both = read_mails(tmp_path)
    assert [each.event.accepted_at for each in told] == [at(28, 10), at(29, 7), at(29, 7), at(29, 7)]
    assert len({each.event.message_id for each in told}) == 4, "each message is told of by itself"
    assert len({each.event.deliveries[0].message_id for each in told[1:]}) == 1, "under the Message-ID of the mail that it went in"
    assert str(both["Subject"]).endswith("(y 2 avisos más)")
    text, html = (both.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    for words in ("TRX-2", "TRX-4", "000-001-01-00000412"):
        assert words in text and words in html
    assert "TRX-1" in first.get_body(("plain",)).get_content() and "TRX-1" not in text  # type: ignore[union-attr]
    assert html.count("</html>") == 1 and text.split().count("--") == 1
    assert [each.get_filename() for each in both.iter_attachments()] == ["factura-000-001-01-00000412.pdf"]
    assert "TRX-4" in source.text, "what went in another's mail shows that mail"


async def test_a_mail_that_is_going_out_already_is_not_joined(database: OpenDatabase, tmp_path: Path) -> None:
    documents = using(limits(per_day=1, beyond="merge"))
    async with serve(SERVICE, await database("notifier"), at(28, 22), using=documents, maildir=tmp_path) as served:
        await served.deliver(*background("residencial"), golden(PAID, reference="TRX-1"))
        async with served.runtime.database.transaction() as session:  # a worker whose clock is ahead has it in its hands
            await rows(session, "SELECT FROM delivery FOR UPDATE")
            await served.deliver(golden(PAID, reference="TRX-2"))
        waiting = [datetime.fromisoformat(each["waits_until"]) for each in await states(served)]
    assert waiting == [at(29, 7), at(30, 7)]


async def test_who_gives_a_customer_s_mail_its_place_waits_for_who_is_giving_another(database: OpenDatabase, tmp_path: Path) -> None:
    documents = using(limits(per_day=1, beyond="next_day"))
    async with serve(SERVICE, await database("notifier"), at(28, 10), using=documents, maildir=tmp_path) as served:
        await served.deliver(*background("residencial"))
        async with served.runtime.database.transaction() as session:
            await rows(session, "SELECT FROM customer FOR NO KEY UPDATE")
            giving = asyncio.create_task(served.deliver(golden(PAID)))
            await until(served.waits)
        await giving


async def test_a_try_again_of_the_same_day_has_its_place_already(database: OpenDatabase) -> None:
    documents = using(limits(per_day=1, beyond="next_day"))
    async with (
        mail_server(rcpt=["451 later"]) as peer,
        serve(SERVICE, await database("notifier"), at(28, 10), using=documents, smtp_url=peer.url) as served,
    ):
        await served.deliver(*background("residencial"), golden(PAID))
        await served.work()
        assert await served.next_due() == at(28, 10, 5)


async def test_a_try_again_keeps_to_the_hours_and_the_day(database: OpenDatabase) -> None:
    documents = using(limits(per_day=1, beyond="next_day"))
    async with (
        mail_server(rcpt=["451 later", "451 later"]) as peer,
        serve(SERVICE, await database("notifier"), at(28, 19, 58), using=documents, smtp_url=peer.url) as served,
    ):
        await served.deliver(*background("residencial"), golden(PAID, reference="TRX-1"))
        await served.work()
        assert await served.next_due() == at(29, 7), "five minutes later is outside the hours"
        await served.deliver(golden(PAID, reference="TRX-2"))
        await served.at(at(29, 6, 59))
        assert len(peer.taken) == 0
        await served.at(at(31, 12))
        accepted = [each.event.accepted_at for each in await served.published(MessageAccepted)]
    days = [each.astimezone(ZONE).date() for each in accepted]
    assert len(days) == len(set(days)) == 2 and all(7 <= each.astimezone(ZONE).hour < 20 for each in accepted)


@pytest.mark.parametrize("answers", [["550 no such box"], ["451 later"] * 8])
async def test_what_rides_with_a_mail_that_fails_can_be_sent_by_itself(database: OpenDatabase, answers: list[str]) -> None:
    documents = using(limits(per_day=1, beyond="merge"))
    async with (
        mail_server(rcpt=answers) as peer,
        serve(SERVICE, await database("notifier"), at(1, 22), using=documents, smtp_url=peer.url) as served,
    ):
        await served.deliver(*background("residencial"), golden(PAID, reference="TRX-1"), golden(PAID, reference="TRX-2"))
        await served.at(at(20, 12))
        failed = await states(served)
        assert [each["state"] for each in failed] == ["FAILED", "FAILED"] and peer.taken == []
        api = served.as_("ana.martinez")
        for each in failed:
            [delivery] = (await api.get(f"/messages/{each['id']}")).json()["deliveries"]
            assert (await api.post(f"/deliveries/{delivery['id']}/retry")).status_code == 202
        await served.work()
        assert [each["state"] for each in await states(served)] == ["ACCEPTED", "ACCEPTED"]
    assert len(set(peer.message_ids)) == 2
    said = [each.get_body(("plain",)).get_content() for each in peer.taken]  # type: ignore[union-attr]
    assert sorted([name for name in ("TRX-1", "TRX-2") if name in text] for text in said) == [["TRX-1"], ["TRX-2"]]


async def test_without_a_policy_that_says_so_nothing_waits(database: OpenDatabase, tmp_path: Path) -> None:
    async with serve(SERVICE, await database("notifier"), at(28, 3), using=using(MessageLimits()), maildir=tmp_path) as served:
        await served.deliver(*background("residencial"), golden(PAID), golden(PAID))
        await served.work()
        assert {each["state"] for each in await states(served)} == {"ACCEPTED"}
    assert len(read_mails(tmp_path)) == 2
