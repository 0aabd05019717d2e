"""Secrets of webhooks: the database alone tells none, keys are changed with two at once, and a key that is gone is said."""

import importlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from standardwebhooks.webhooks import Webhook as Standard

from services.notifier.app import SERVICE
from shared.db import execute
from shared.sealing import Seal, mark_of
from tests.notifier.samples import background, golden
from tests.notifier.subscribers import Subscriber, subscriber
from tests.notifier.test_webhooks import LOOPBACK, PAID, OpenDatabase, house, posts, subscribe
from tests.support.service import Served, serve

START = datetime(2026, 3, 28, 14, 0, tzinfo=UTC)
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
ERASING = "0004_no_secret_in_answers"
KEPT = "SELECT split_part(secret, '.', 1) AS mark, split_part(previous_secret, '.', 1) AS previous FROM webhook"


async def tell(served: Served) -> None:
    await served.deliver(golden(PAID))
    await served.work()


def good(secret: str, peer: Subscriber) -> Any:
    """The last event, if this secret signed it."""
    return Standard(secret).verify(peer.taken[-1].body, dict(peer.taken[-1].headers))


async def test_no_table_holds_a_secret_in_words(database: OpenDatabase) -> None:
    """Nor do the answers that are kept for a repetition, which still shows it."""
    async with subscriber() as peer, house(database) as served:
        api = served.as_("admin")
        body = {"url": peer.url, "types": [PAID]}
        made = await api.post("/webhooks", json=body, headers={"idempotency-key": "crm-1"})
        again = await api.post("/webhooks", json=body, headers={"idempotency-key": "crm-1"})
        renewed = (await api.post(f"/webhooks/{made.json()['id']}/secret")).json()
        await served.deliver(*background())
        await tell(served)
        tables = [
            row.name
            for row in await served.sql(
                "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        ]
        kept = "\n".join([str(row) for name in tables for row in await served.sql(f"SELECT t::text AS line FROM {name} t")])
        kept += "\n".join([bytes(row.body).decode() for row in await served.sql("SELECT body FROM idempotency_key")])
    assert again.json() == made.json() and again.headers["idempotency-replayed"] == "true"
    assert "whsec_" not in kept and peer.url in kept
    for secret in (made.json()["secret"], renewed["secret"]):
        assert secret.removeprefix("whsec_") not in kept
        assert good(secret, peer)


async def test_what_was_kept_in_words_is_sealed_and_still_signs(database: OpenDatabase) -> None:
    """An installation from before there were keys."""
    async with subscriber() as peer, house(database, webhook_keys=[NEW]) as served:
        hook = await subscribe(served, peer.url, PAID)
        await served.sql("UPDATE webhook SET secret = $1, previous_secret = $1 RETURNING 1", hook["secret"])
        await served.deliver(*background())
        await tell(served)
        [kept] = await served.sql(KEPT)
        assert good(hook["secret"], peer)
    assert (kept.mark, kept.previous) == (mark_of(NEW), mark_of(NEW))


async def test_a_key_is_changed_with_two_at_once_and_the_old_one_may_go(database: OpenDatabase) -> None:
    db = await database("notifier")
    async with subscriber() as peer:
        async with serve(SERVICE, db, START, webhook_keys=[OLD], webhook_networks=LOOPBACK) as served:
            hook = await subscribe(served, peer.url, PAID)
            new = (await served.as_("admin").post(f"/webhooks/{hook['id']}/secret")).json()
            await served.deliver(*background())
            assert [each.mark for each in await served.sql(KEPT)] == [mark_of(OLD)]
        async with serve(SERVICE, db, START, webhook_keys=[NEW, OLD], webhook_networks=LOOPBACK) as served:
            await served.work()
            assert [(each.mark, each.previous) for each in await served.sql(KEPT)] == [(mark_of(NEW), mark_of(NEW))]
            assert await served.next_due() is None
        async with serve(SERVICE, db, START, webhook_keys=[NEW], webhook_networks=LOOPBACK) as served:
            await tell(served)
            assert good(new["secret"], peer) == good(hook["secret"], peer)


async def test_without_its_key_nothing_is_sent_unsigned_nothing_is_lost_and_it_is_said(database: OpenDatabase) -> None:
    db = await database("notifier")
    async with subscriber() as peer:
        async with serve(SERVICE, db, START, webhook_keys=[OLD], webhook_networks=LOOPBACK) as served:
            hook = await subscribe(served, peer.url, PAID)
            await served.deliver(*background())
        async with serve(SERVICE, db, START, webhook_keys=[NEW], webhook_networks=LOOPBACK) as served:
            await tell(served)
            [post] = await posts(served, hook)
            assert peer.taken == [] and post["state"] == "QUEUED" and "RECONECTA_WEBHOOK_KEYS" in post["detail"]
            assert datetime.fromisoformat(post["next_attempt_at"]) > START, "it is looked for later, not all the time"
            renewed = (await served.as_("admin").post(f"/webhooks/{hook['id']}/secret")).json()
            await served.at(START + timedelta(minutes=1))
            assert good(renewed["secret"], peer), "who asks for a new secret needs no old key"


async def test_an_answer_whose_key_is_gone_is_not_shown_again(database: OpenDatabase) -> None:
    db, body = await database("notifier"), {"url": "https://crm.example/", "types": ["*"]}
    async with serve(SERVICE, db, START, webhook_keys=[OLD]) as served:
        assert (await served.as_("admin").post("/webhooks", json=body, headers={"idempotency-key": "crm-1"})).status_code == 201
    async with serve(SERVICE, db, START, webhook_keys=[NEW]) as served:
        again = await served.as_("admin").post("/webhooks", json=body, headers={"idempotency-key": "crm-1"})
        assert (again.status_code, "/secret" in again.json()["remedy"]) == (409, True)
        assert [each.n for each in await served.sql("SELECT count(*) AS n FROM webhook")] == [1]


async def test_without_any_key_nobody_subscribes(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("notifier"), START, webhook_keys=[]) as served:
        answer = await served.as_("admin").post("/webhooks", json={"url": "https://crm.example/", "types": ["*"]})
        assert (answer.status_code, "RECONECTA_WEBHOOK_KEYS" in answer.json()["remedy"]) == (503, True)
        assert await served.sql("SELECT 1 FROM webhook") == []


async def test_answers_from_before_there_were_keys_lose_their_secrets(database: OpenDatabase) -> None:
    erase = importlib.import_module(f"services.notifier.migrations.{ERASING}").ERASE
    async with house(database) as served:
        hook = await subscribe(served, "https://crm.example/", PAID)
        await served.sql("UPDATE idempotency_key SET body = convert_to($1, 'UTF8') RETURNING 1", json.dumps(hook))
        async with served.runtime.database.transaction() as session:
            await execute(session, erase)
        [kept] = await served.sql("SELECT body FROM idempotency_key")
        repeated = json.loads(kept.body)
    assert repeated == hook | {"secret": "whsec_"}


def test_a_sealed_text_is_opened_by_its_key_alone() -> None:
    sealed = Seal([OLD]).close("whsec_abc")
    assert "abc" not in sealed and Seal([NEW, OLD]).open(sealed) == "whsec_abc"
    assert Seal([NEW]).open(sealed) is None
    mark, _, token = sealed.partition(".")
    assert Seal([OLD]).open(f"{mark}.{token[:-4]}AAA=") is None, "changed"
    assert Seal([]).open("whsec_abc") == "whsec_abc", "from before there were keys"
    with pytest.raises(ValueError, match="la clave 2 no es ninguna"):
        Seal([OLD, json.dumps(NEW)])
