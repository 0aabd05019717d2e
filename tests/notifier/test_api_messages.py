"""Messages over HTTP: found, read, opened as mail, tried again."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import SMTP
from typing import Any
from uuid import uuid4

from services.notifier.app import SERVICE
from shared.db import Database
from shared.events.notifier import MessageAccepted, MessageFailed
from tests.notifier.peers import mail_server
from tests.notifier.samples import background, golden
from tests.support.service import Served, serve

START = datetime(2026, 3, 28, 14, 0, tzinfo=UTC)
OpenDatabase = Callable[[str], Awaitable[Database]]
CUSTOMER = str(golden("billing.customer_registered.v1").customer_id)


async def fill(served: Served) -> None:
    """An invoice sent, a payment thanked for, five desks warned: three messages, seven deliveries."""
    await served.deliver(
        *background(),
        golden("collections.invoice_dispatch_requested.v1"),
        golden("billing.payment_confirmed.v1"),
        golden("collections.suspension_notice_requested.v1", notice="aviso_suspension_vip"),
    )
    await served.work()


async def test_messages_are_listed_newest_first_page_by_page(database: OpenDatabase, tmp_path: Any) -> None:
    async with serve(SERVICE, await database("notifier"), START, maildir=tmp_path) as served:
        await fill(served)
        api = served.as_("ana.martinez")
        everything = (await api.get("/messages", params={"customer_id": CUSTOMER})).json()["items"]
        assert {each["notice"] for each in everything} == {"aviso_suspension_vip", "factura_del_mes", "pago_recibido"}
        paged: list[Any] = []
        query: dict[str, str] = {"limit": "1"}
        while True:
            answer = (await api.get("/messages", params=query)).json()
            paged += answer["items"]
            if not answer.get("next"):
                break
            query["cursor"] = answer["next"]
        assert paged == everything
        warned = (await api.get("/messages", params={"notice": "aviso_suspension_vip", "state": "accepted"})).json()["items"]
        assert len(warned) == 1 and len(warned[0]["recipients"]) == 5 and warned[0]["accepted_at"] == "2026-03-28T14:00:00Z"
        assert (await api.get("/messages", params={"state": "FAILED"})).json()["items"] == []
        assert (await api.get("/messages", params={"customer_id": str(uuid4())})).json()["items"] == []


async def test_a_message_shows_its_words_and_what_each_server_said(database: OpenDatabase, tmp_path: Any) -> None:
    async with serve(SERVICE, await database("notifier"), START, maildir=tmp_path) as served:
        await fill(served)
        api = served.as_("ana.martinez")
        [listed] = (await api.get("/messages", params={"notice": "aviso_suspension_vip"})).json()["items"]
        shown = (await api.get(f"/messages/{listed['id']}")).json()
        assert len(shown["deliveries"]) == 5
        assert {each["state"] for each in shown["deliveries"]} == {"ACCEPTED"}
        assert "AVISO DE SUSPENSIÓN" in shown["text"] and shown["rules"] == ["VIP-10"]
        missing = await api.get(f"/messages/{uuid4()}")
        assert missing.status_code == 404 and missing.headers["content-type"] == "application/problem+json"


async def test_the_source_is_the_mail_that_went_out(database: OpenDatabase, tmp_path: Any) -> None:
    async with serve(SERVICE, await database("notifier"), START, maildir=tmp_path) as served:
        await fill(served)
        api = served.as_("ana.martinez")
        [listed] = (await api.get("/messages", params={"notice": "factura_del_mes"})).json()["items"]
        [delivery] = (await api.get(f"/messages/{listed['id']}")).json()["deliveries"]
        answer = await api.get(f"/messages/{listed['id']}/source", params={"delivery": delivery["id"]})
        other = await api.get(f"/messages/{listed['id']}/source", params={"delivery": str(uuid4())})
    assert answer.headers["content-type"] == "message/rfc822"
    mail = message_from_bytes(answer.content, policy=SMTP)
    assert mail["Message-ID"] == delivery["message_id"] and str(mail["Subject"]).strip() == listed["subject"]
    assert [part.get_content_type() for part in mail.walk()][-1] == "application/pdf"
    assert other.status_code == 422 and other.json()["errors"][0]["field"] == "delivery"


async def test_a_failed_delivery_is_tried_again_when_somebody_says_so(database: OpenDatabase) -> None:
    async with (
        mail_server(rcpt=["550 no such box"]) as peer,
        serve(SERVICE, await database("notifier"), START, smtp_url=peer.url) as served,
    ):
        await served.deliver(*background(), golden("billing.payment_confirmed.v1"))
        await served.work()
        api = served.as_("ana.martinez")
        [listed] = (await api.get("/messages", params={"state": "FAILED"})).json()["items"]
        [delivery] = (await api.get(f"/messages/{listed['id']}")).json()["deliveries"]
        assert delivery["detail"] == "no such box" and delivery["smtp_code"] == 550
        answer = await api.post(f"/deliveries/{delivery['id']}/retry")
        assert (answer.status_code, answer.json()["state"]) == (202, "QUEUED")
        await served.at(START + timedelta(minutes=1))
        assert [each.type for each in await served.published()] == [MessageFailed.TYPE, MessageAccepted.TYPE]
        assert [each.sequence for each in await served.published()] == [1, 2]
        again = await api.post(f"/deliveries/{delivery['id']}/retry")
        assert again.status_code == 409 and "ACCEPTED" in again.json()["detail"]
        [sent] = (await api.get(f"/messages/{listed['id']}")).json()["deliveries"]
        assert sent["attempts"] == 1, "it has all its tries again"
    assert peer.message_ids == [delivery["message_id"]]


async def test_a_message_that_nobody_could_get_goes_to_the_address_that_is_known_by_now(database: OpenDatabase, tmp_path: Any) -> None:
    silent = golden("billing.customer_registered.v1", contacts=[])
    async with serve(SERVICE, await database("notifier"), START, maildir=tmp_path) as served:
        await served.deliver(silent, *background()[1:], golden("billing.payment_confirmed.v1"))
        api = served.as_("ana.martinez")
        [listed] = (await api.get("/messages", params={"state": "FAILED"})).json()["items"]
        [delivery] = (await api.get(f"/messages/{listed['id']}")).json()["deliveries"]
        assert delivery["address"] is None
        source = await api.get(f"/messages/{listed['id']}/source")
        assert source.status_code == 200
        refused = await api.post(f"/deliveries/{delivery['id']}/retry")
        assert refused.status_code == 409 and "PATCH /billing/customers" in refused.json()["remedy"]
        await served.deliver(golden("billing.customer_changed.v1"))
        assert (await api.post(f"/deliveries/{delivery['id']}/retry")).status_code == 202
        await served.work()
        assert (await api.get(f"/messages/{listed['id']}")).json()["state"] == "ACCEPTED"
    assert len(list((tmp_path / "new").iterdir())) == 1


async def test_who_may_read_and_who_may_retry(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("notifier"), START) as served:
        await fill(served)
        assert (await served.as_("oscar.banegas").get("/messages")).status_code == 403
        reader = served.as_("elena.paz")
        [listed] = (await reader.get("/messages", params={"notice": "pago_recibido"})).json()["items"]
        [delivery] = (await reader.get(f"/messages/{listed['id']}")).json()["deliveries"]
        assert (await reader.post(f"/deliveries/{delivery['id']}/retry")).status_code == 403
        assert (await served.as_("ana.martinez").post(f"/deliveries/{uuid4()}/retry")).status_code == 404


async def test_the_outcomes_are_counted(database: OpenDatabase, tmp_path: Any) -> None:
    async with serve(SERVICE, await database("notifier"), START, maildir=tmp_path) as served:
        await fill(served)
        metrics = (await served.as_("admin").get("/metrics")).text
    assert 'reconecta_deliveries{kind="ACCEPTED",service="notifier"} 7.0' in metrics
    assert 'reconecta_messages{kind="FAILED",service="notifier"} 0.0' in metrics
