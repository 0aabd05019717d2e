"""Mails go out: over SMTP to a real server that behaves well and badly, and into a Maildir."""

import asyncio
import mailbox
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from services.notifier.adapters import carrier
from services.notifier.adapters.mails import mail_of
from services.notifier.app import SERVICE
from services.notifier.jobs import deliveries
from services.notifier.operations.deliveries import Try, claim_deliveries, record_outcomes
from services.notifier.rules.states import Kind, Outcome
from shared.db import Database
from shared.events.notifier import MessageAccepted, MessageFailed
from shared.press import Shop
from shared.settings import Settings
from tests.notifier.peers import Peer, mail_server
from tests.notifier.samples import background, golden, read_mails
from tests.support.rules import rule
from tests.support.service import Served, operator, serve

START = datetime(2026, 3, 28, 14, 0, tzinfo=UTC)
OpenDatabase = Callable[[str], Awaitable[Database]]
FIVE = {
    f"{name}@redsula.example" for name in ("gerente.ventas", "gerente.cobros", "recuperaciones", "ingenieria.sps", "director.proyectos")
}


async def warn(served: Served) -> Any:
    """Everything known, and a notice of suspension asked for."""
    request = golden("collections.suspension_notice_requested.v1", notice="aviso_suspension_vip")
    await served.deliver(*background(), request)
    return request


@asynccontextmanager
async def mailing(database: OpenDatabase, **answers: list[str]) -> AsyncIterator[tuple[Served, Peer]]:
    """Notifier with a mail server that answers so."""
    async with mail_server(**answers) as peer, serve(SERVICE, await database("notifier"), START, smtp_url=peer.url) as served:
        yield served, peer


async def states(served: Served) -> list[str]:
    return [row.state for row in await served.sql("SELECT state FROM delivery ORDER BY id")]


@rule("VIP-10")
async def test_the_notice_counts_from_when_the_last_of_five_servers_accepted_it(database: OpenDatabase) -> None:
    async with mailing(database, rcpt=["250 OK", "250 OK", "450 busy"]) as (served, peer):
        request = await warn(served)
        await served.work()
        assert await served.published(MessageAccepted) == []
        await served.at(START + timedelta(minutes=5))
        [told] = await served.published(MessageAccepted)
    assert set(peer.recipients) == FIVE and len(peer.taken) == 5 == len(set(peer.message_ids))
    assert told.event.accepted_at == START + timedelta(minutes=5)
    assert told.event.reference == str(request.notice_id)
    assert (told.event.recipients, told.event.notice, told.sequence) == (5, "aviso_suspension_vip", 1)
    assert told.key == str(request.customer_id)


async def test_one_connection_carries_many_mails(database: OpenDatabase) -> None:
    async with mailing(database) as (served, peer):
        await warn(served)
        await served.work()
    assert (len(peer.taken), peer.connections) == (5, 1)
    [first, *_] = peer.taken
    assert first["From"] == "Red Sula <cobros@redsula.example>"
    assert first["Reply-To"] == "Ana Martínez <ana.martinez@redsula.example>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert {address.addr_spec for each in peer.taken for address in each["To"].addresses} == FIVE
    assert [part.get_content_type() for part in first.walk()] == [
        "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
    ]  # fmt: skip
    assert [part["Content-ID"] for part in first.walk()][-1] == "<logo>" and "cid:logo" in first.get_body(("html",)).get_content()  # type: ignore[union-attr]


async def test_a_refused_address_fails_at_once_and_is_told_once(database: OpenDatabase) -> None:
    async with mailing(database, rcpt=["250 OK", "550 no such box"]) as (served, peer):
        request = await warn(served)
        await served.at(START + timedelta(days=9))
        [failed] = await served.published(MessageFailed)
        assert await served.published(MessageAccepted) == []
        assert sorted(await states(served)) == ["ACCEPTED"] * 4 + ["FAILED"]
    assert failed.event.reference == str(request.notice_id)
    assert failed.event.recipient in FIVE and failed.event.reason == "no such box"
    assert len(peer.taken) == 4


async def test_words_that_no_database_holds_are_written_down_without_what_it_cannot(database: OpenDatabase) -> None:
    """Else no outcome is, and the mails go out again and again."""
    async with mailing(database, rcpt=["250 OK", "550 Dirección inválida"], data=["250 acept\0ado"]) as (served, peer):
        await warn(served)
        await served.work()
        [failed] = await served.published(MessageFailed)
        assert sorted(await states(served)) == ["ACCEPTED"] * 4 + ["FAILED"]
        assert "aceptado" in [row.detail for row in await served.sql("SELECT detail FROM delivery")]
    assert failed.event.reason == "Dirección inválida"
    assert len(peer.taken) == 4


async def test_a_busy_server_is_asked_again_in_business_time_and_then_given_up(database: OpenDatabase) -> None:
    async with mailing(database, rcpt=["451 later"] * 8) as (served, peer):
        await served.deliver(*background(), golden("billing.payment_confirmed.v1"))
        await served.work()
        assert await served.next_due() == START + timedelta(minutes=5)
        await served.at(START + timedelta(days=9))
        [failed] = await served.published(MessageFailed)
        [row] = await served.sql("SELECT state, attempts, smtp_code FROM delivery")
    assert (row.state, row.attempts, row.smtp_code) == ("FAILED", 8, 451)
    assert failed.event.failed_at > START + timedelta(days=2)
    assert peer.taken == []


async def test_no_answer_after_the_text_is_unknown_and_sent_again_under_the_same_id(database: OpenDatabase) -> None:
    async with mailing(database, data=["drop", "slow"]) as (served, peer):
        await served.deliver(*background(), golden("billing.payment_confirmed.v1"))
        for minutes, state in ((0, "UNKNOWN"), (5, "UNKNOWN"), (20, "ACCEPTED")):
            await served.at(START + timedelta(minutes=minutes))
            assert await states(served) == [state]
            assert len(await served.published(MessageAccepted)) == (state == "ACCEPTED")
    assert len(peer.taken) == 3 and len(set(peer.message_ids)) == 1


@pytest.mark.parametrize("since", ["- interval '1 second'", "+ interval '1 hour'"], ids=["past", "the clock was set back"])
async def test_what_a_killed_worker_had_is_sent_again_under_the_same_id(database: OpenDatabase, since: str) -> None:
    """It was killed between the mail and the record of it."""
    async with mailing(database) as (served, peer):
        opened = served.runtime.database
        await served.deliver(*background(), golden("billing.payment_confirmed.v1"))
        async with opened.transaction() as session:
            [mine] = await claim_deliveries(session, holder="killed", now=START, limit=10)
        async with served.runtime.resources["mail"].open() as line:
            mail = mail_of(operator(), mine.message, mine.delivery, [])
            await line.send(mail, sender="cobros@redsula.example", recipient=str(mine.delivery.address))
        assert await served.next_due() == START, "the conductor waits for what is under way"
        await served.work()
        assert len(peer.taken) == 1, "while the claim holds nobody else sends it"
        await served.sql(f"UPDATE delivery SET claimed_until = clock_timestamp() {since} RETURNING 1")
        await served.work()
        assert await states(served) == ["ACCEPTED"]
        assert len(await served.published(MessageAccepted)) == 1
    assert len(peer.taken) == 2 and len(set(peer.message_ids)) == 1


async def test_the_outcome_of_who_lost_its_claim_is_left_alone(database: OpenDatabase) -> None:
    async with mailing(database) as (served, _):
        opened = served.runtime.database
        await served.deliver(*background(), golden("billing.payment_confirmed.v1"))
        async with opened.transaction() as session:
            [mine] = await claim_deliveries(session, holder="one", now=START, limit=10)
        await served.sql("UPDATE delivery SET holder = 'two' RETURNING 1")
        late = [Try(mine.delivery.id, Outcome(Kind.PERMANENT), START)]
        async with opened.transaction() as session:
            assert await record_outcomes(session, operator(), holder="one", tries=late) == 0
        assert await states(served) == ["SENDING"]


async def test_who_waits_long_for_a_mail_server_keeps_its_claim(database: OpenDatabase) -> None:
    async with mailing(database, data=["slow"]) as (served, _):
        await served.deliver(*background(), golden("billing.payment_confirmed.v1"))
        assert await served.prolongs("delivery", deliveries.run(served.runtime.job_context(START)))


async def test_two_workers_share_the_mails_and_send_none_twice(database: OpenDatabase) -> None:
    async with mailing(database) as (served, peer):
        await served.deliver(*background(), *(golden("billing.payment_confirmed.v1", reference=f"TRX-{n}") for n in range(60)))
        context = served.runtime.job_context(START)
        tried = await asyncio.gather(*(deliveries.run(context) for _ in range(4)))
        assert sum(tried) == 60 and sum(each > 0 for each in tried) > 1
        assert await states(served) == ["ACCEPTED"] * 60
        assert len(await served.published(MessageAccepted)) == 60
    assert len(peer.message_ids) == len(set(peer.message_ids)) == 60


async def test_a_server_that_is_away_costs_one_try_for_all_and_loses_nothing(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("notifier"), START, smtp_url="smtp://127.0.0.1:9?timeout=0.5") as served:
        await warn(served)
        await served.work()
        assert await states(served) == ["QUEUED"] * 5
        assert await served.published() == []


async def test_a_server_that_falls_silent_holds_one_mail_up_and_not_each_of_a_batch(database: OpenDatabase) -> None:
    async with mailing(database, rcpt=["250 OK", "slow"]) as (served, peer):
        await warn(served)
        await served.work()
        assert sorted(await states(served)) == ["ACCEPTED"] + ["QUEUED"] * 4
        assert peer.connections == 1
        await served.at(START + timedelta(minutes=5))
        assert await states(served) == ["ACCEPTED"] * 5
    assert len(peer.taken) == 5


async def test_without_a_way_out_deliveries_fail_loudly(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*background(), golden("billing.payment_confirmed.v1"))
        await served.work()
        [failed] = await served.published(MessageFailed)
    assert "RECONECTA_SMTP_URL" in failed.event.reason


@rule("VIP-5")
async def test_the_months_invoice_travels_as_pdf(database: OpenDatabase, tmp_path: Path) -> None:
    async with serve(SERVICE, await database("notifier"), START, maildir=tmp_path) as served:
        registered = golden("billing.customer_changed.v1", tax_id="05019001004321")
        await served.deliver(*background(), registered, golden("collections.invoice_dispatch_requested.v1"))
        await served.work()
        [told] = await served.published(MessageAccepted)
    [mail] = read_mails(tmp_path)
    assert mail["To"] == "Marta Pineda <pagos@hotelmaya.example>"
    [pdf] = list(mail.iter_attachments())
    assert pdf.get_filename() == "factura-000-001-01-00000412.pdf"
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(pdf.get_content())).pages)
    assert "000-001-01-00000412" in text and "$1,380.00" in text and "RTN 05019001004321" in text
    assert told.event.reference == str(golden("billing.invoice_issued.v1").invoice_id)


async def test_a_mail_whose_invoice_cannot_be_printed_now_goes_out_later(
    database: OpenDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever prints is ended again and again (the machine's memory is full): that is not the template's fault, nor for people to mend."""
    async with serve(SERVICE, await database("notifier"), START, maildir=tmp_path) as served:
        await served.deliver(*background(), golden("collections.invoice_dispatch_requested.v1"))
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr("shared.press.OURS", Shop(patience=0.0))
            await served.work()
        assert await states(served) == ["QUEUED"]
        await served.at(START + timedelta(minutes=5))
        assert await states(served) == ["ACCEPTED"]
    assert len(read_mails(tmp_path)) == 1


async def test_a_paid_invoice_travels_as_paid(database: OpenDatabase, tmp_path: Path) -> None:
    async with serve(SERVICE, await database("notifier"), START, maildir=tmp_path) as served:
        paid = golden("billing.invoice_paid.v1", paid_at="2026-03-06T03:30:00Z")
        await served.deliver(*background(), paid, golden("collections.invoice_dispatch_requested.v1"))
        await served.work()
    pdf = next(each for mail in read_mails(tmp_path) for each in mail.iter_attachments())
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO(pdf.get_content())).pages)
    assert "PAGADA" in text and "5 de marzo de 2026" in text


async def test_a_maildir_that_any_mail_program_opens(database: OpenDatabase, tmp_path: Path) -> None:
    async with serve(SERVICE, await database("notifier"), START, maildir=tmp_path) as served:
        await warn(served)
        await served.work()
        assert await states(served) == ["ACCEPTED"] * 5
        await served.sql("UPDATE delivery SET state = 'QUEUED', next_attempt_at = $1 RETURNING 1", START)
        first = next(iter((tmp_path / "new").iterdir()))
        first.rename(tmp_path / "cur" / f"{first.name}:2,S")  # somebody has read it
        await served.work()
        assert len(await served.published(MessageAccepted)) == 1
    box = mailbox.Maildir(str(tmp_path), create=False)
    assert sorted(str(each["Delivered-To"]) for each in box) == sorted(FIVE)
    assert list((tmp_path / "tmp").iterdir()) == []
    box.close()


def test_the_carrier_follows_the_settings(tmp_path: Path) -> None:
    def of(**settings: Any) -> str:
        return type(carrier(Settings(service="notifier", database_url="postgresql://x", **settings))).__name__

    assert of(smtp_url="smtps://user:secret@mail.example") == "SmtpCarrier"
    assert of(maildir=tmp_path) == "Maildir"
    assert of() == "Nowhere"
