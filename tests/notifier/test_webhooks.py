"""Events go out to those who subscribed: signed, in order, again after a failure, never where they must not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook as Standard
from standardwebhooks.webhooks import WebhookVerificationError

from services.notifier.adapters.posting import Poster
from services.notifier.app import SERVICE
from services.notifier.jobs import webhooks as job
from services.notifier.operations.posts import AT_ONCE, CLAIM, UNDER_WAY, WITH_WORK, renew_post_claims
from services.notifier.queries.webhooks import NEXT
from services.notifier.rules.addresses import networks
from shared.db import Database, new_id, rows
from shared.events.notifier import WebhookDisabled
from tests.notifier.samples import background, golden
from tests.notifier.subscribers import subscriber
from tests.support.service import Served, serve

START = datetime(2026, 3, 28, 14, 0, tzinfo=UTC)
LOOPBACK = ["127.0.0.0/8"]
PATIENCE = 2.0  # seconds: a subscriber of these tests is quick within it on a full machine, too
OpenDatabase = Callable[[str], Awaitable[Database]]
PAID = "billing.payment_confirmed.v1"
HELD = """UPDATE webhook_post SET state = 'SENDING', next_attempt_at = NULL, holder = 'killed',
    claimed_until = clock_timestamp() + interval '9 seconds' RETURNING 1"""


@asynccontextmanager
async def house(database: OpenDatabase, **settings: Any) -> AsyncIterator[Served]:
    """Notifier, whose posts wait no longer than a test can."""
    given = {"webhook_networks": LOOPBACK, **settings}
    patient = replace(
        SERVICE,
        resources=lambda own, documents: {
            **SERVICE.resources(own, documents),
            "webhooks": Poster(networks(own.webhook_networks), seconds=PATIENCE),
        },
    )
    async with serve(patient, await database("notifier"), START, **given) as served:
        yield served


async def subscribe(served: Served, url: str, *types: str, **more: Any) -> dict[str, Any]:
    answer = await served.as_("admin").post("/webhooks", json={"url": url, "types": list(types) or ["*"], **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def posts(served: Served, hook: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await served.as_("admin").get(f"/webhooks/{hook['id']}/deliveries", params=query)).json()["items"]
    return found


def verified(hook: dict[str, Any], taken: Any) -> Any:
    """The event, if the specification's own library finds the signature good."""
    return Standard(hook["secret"]).verify(taken.body, dict(taken.headers))


async def test_a_subscriber_gets_the_cloud_event_signed(database: OpenDatabase) -> None:
    async with subscriber() as peer, house(database) as served:
        hook = await subscribe(served, peer.url, PAID)
        event_id = new_id()
        await served.deliver(*background())
        await served.deliver(golden(PAID), event_id=event_id)
        await served.work()
        [shown] = await posts(served, hook)
    [taken] = peer.taken
    body = verified(hook, taken)
    assert (body["specversion"], body["id"], body["type"], body["source"]) == ("1.0", str(event_id), PAID, "billing")
    assert body["data"] == json.loads(golden(PAID).model_dump_json()), "amounts travel as text, as they came"
    assert taken.headers["webhook-id"] == str(event_id) and taken.path == "/eventos?de=reconecta"
    assert abs(int(taken.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 300, "the real clock, which subscribers compare"
    assert (shown["state"], shown["status"], shown["attempts"], shown["delivered_at"]) == ("DELIVERED", 204, 1, "2026-03-28T14:00:00Z")
    with pytest.raises(WebhookVerificationError):
        verified(hook, replace(taken, body=taken.body.replace(b"460", b"461").replace(b"1380", b"1")))


async def test_only_the_types_and_the_customer_that_were_asked_for(database: OpenDatabase) -> None:
    other = golden(PAID, customer_id=str(new_id()))
    async with subscriber() as peer, house(database) as served:
        mine = str(golden(PAID).customer_id)
        await subscribe(served, peer.url, "billing.*", customer_id=mine)
        await served.deliver(*background(), golden("billing.customer_registered.v1", customer_id=str(other.customer_id)))
        await served.deliver(golden(PAID), other, golden("collections.promise_made.v1"))
        await served.work()
    told = [json.loads(each.body) for each in peer.taken]
    assert {each["data"]["customer_id"] for each in told} == {mine}
    assert [each["type"] for each in told] == ["billing.customer_registered.v1", "billing.invoice_issued.v1", PAID]


async def test_one_customers_events_come_in_order_whatever_fails(database: OpenDatabase) -> None:
    async with subscriber(["400", "400"]) as peer, house(database) as served:
        await subscribe(served, peer.url, PAID)
        await served.deliver(*background())
        for number in range(5):
            await served.deliver(golden(PAID, reference=f"TRX-{number}"))
        await served.at(START + timedelta(minutes=6))
    told = [json.loads(each.body)["data"]["reference"] for each in peer.taken]
    assert told == ["TRX-0", "TRX-0", "TRX-0", "TRX-1", "TRX-2", "TRX-3", "TRX-4"]
    assert len(set(peer.ids[:3])) == 1, "the same id at every try"


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ("500", 500, "Contestó 500"),
        ("404", 404, "Contestó 404"),
        ("302 location: http://127.0.0.1:1/", 302, "eso no se sigue"),
        ("drop", None, "No hay conexión"),
        ("slow", None, f"No contestó en {PATIENCE:g} segundos"),
        ("flood", 500, "Contestó 500"),
    ],
)
async def test_what_goes_wrong_is_written_down_and_tried_again(database: OpenDatabase, answer: str, status: int | None, words: str) -> None:
    async with subscriber([answer]) as peer, house(database) as served:
        hook = await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID))
        await served.work()
        [shown] = await posts(served, hook, state="QUEUED")
        await served.at(START + timedelta(minutes=1))
        detail = (await served.as_("admin").get(f"/webhooks/{hook['id']}/deliveries/{shown['event_id']}")).json()
    missed = status is None or status >= 500
    assert (shown["status"], shown["attempts"]) == (status, 0 if missed else 1) and words in shown["detail"]
    assert START + timedelta(seconds=5) <= datetime.fromisoformat(shown["next_attempt_at"]) <= START + timedelta(seconds=6)
    assert [each["status"] for each in detail["tries"]] == [status, 204]
    assert len(detail["tries"][0]["answer"]) <= 1000 and detail["tries"][0]["milliseconds"] >= (PATIENCE * 1000 if answer == "slow" else 0)
    assert detail["state"] == "DELIVERED" and len(peer.taken) == 2
    assert "palabra" in detail["tries"][0]["answer"] if answer == "flood" else True


async def test_a_subscriber_that_vanished_gets_everything_when_it_is_back(database: OpenDatabase) -> None:
    """Who is not there is looked for with one event, not with all."""
    async with subscriber() as gone:
        pass
    async with house(database) as served:
        hook = await subscribe(served, gone.url, PAID)
        await served.deliver(*background())
        others = [golden(PAID, customer_id=str(new_id())) for _ in range(20)]
        await served.deliver(*(golden("billing.customer_registered.v1", customer_id=str(each.customer_id)) for each in others))
        await served.deliver(*others)
        await served.at(START + timedelta(hours=2))
        [tries] = await served.sql("SELECT count(*) AS n FROM webhook_attempt")
        assert tries.n < 20 and len(await posts(served, hook, state="QUEUED")) == 20
        async with subscriber() as peer:
            await served.as_("admin").patch(f"/webhooks/{hook['id']}", json={"url": peer.url}, headers={"if-match": '"1"'})
            await served.at(START + timedelta(hours=13))
        assert len(await posts(served, hook, state="DELIVERED")) == 20
    assert len(peer.taken) == 20


async def test_after_the_last_try_an_event_is_given_up_and_the_next_one_goes(database: OpenDatabase) -> None:
    async with subscriber(["400"] * 10) as peer, house(database) as served:
        hook = await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID, reference="TRX-1"))
        await served.deliver(golden(PAID, reference="TRX-2"))
        await served.at(START + timedelta(days=4))
        [second, first] = await posts(served, hook)
    assert (first["state"], first["attempts"], first["next_attempt_at"]) == ("FAILED", 10, None)
    assert (second["state"], second["attempts"]) == ("DELIVERED", 1)


async def test_who_fails_for_days_is_turned_off_a_desk_is_told_and_nothing_is_lost(database: OpenDatabase) -> None:
    async with subscriber(["503"] * 1000) as peer, house(database) as served:
        hook = await subscribe(served, peer.url, PAID, description="CRM")
        await served.deliver(*background(), golden(PAID))
        await served.at(START + timedelta(days=3))
        await served.deliver(golden(PAID, reference="TRX-2"), golden(PAID, customer_id=str(new_id())))
        await served.deliver(golden("billing.customer_registered.v1"))
        await served.at(START + timedelta(days=5, hours=2))
        api = served.as_("admin")
        shown = (await api.get(f"/webhooks/{hook['id']}")).json()
        [told] = await served.published(WebhookDisabled)
        [message] = await served.sql("SELECT subject, text, recipients FROM message WHERE notice = 'webhook_desactivado'")
        before = len(peer.taken)
        await served.deliver(golden(PAID, reference="TRX-3"))
        await served.at(START + timedelta(days=7))
        assert len(peer.taken) == before, "nothing is sent any more"
        peer.answers.clear()
        answer = await api.patch(f"/webhooks/{hook['id']}", json={"state": "ACTIVE"}, headers={"if-match": f'"{shown["version"]}"'})
        assert answer.json()["state"] == "ACTIVE"
        await served.work()
        await served.at(START + timedelta(days=8))
    assert shown["state"] == "DISABLED" and "5 días" in shown["reason"]
    assert told.event.host == "127.0.0.1" and str(told.event.webhook_id) == hook["id"] and told.event.waiting == 2
    assert message.recipients == [{"name": "Sistemas", "address": "sistemas@redsula.example"}] and "CRM" in message.subject
    told_again = [json.loads(each.body)["data"]["reference"] for each in peer.taken[before:]]
    assert {"TRX-2", "TRX-3"} <= set(told_again) and told_again.index("TRX-2") < told_again.index("TRX-3")


async def test_who_says_that_it_is_gone_is_believed(database: OpenDatabase) -> None:
    async with subscriber(["410"]) as peer, house(database) as served:
        hook = await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID))
        await served.work()
        shown = (await served.as_("admin").get(f"/webhooks/{hook['id']}")).json()
    assert shown["state"] == "DISABLED" and "410" in shown["reason"]


async def test_who_asks_us_to_wait_is_not_asked_before(database: OpenDatabase) -> None:
    async with subscriber(["429 retry-after: 3600"]) as peer, house(database) as served:
        await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID))
        await served.at(START + timedelta(minutes=59))
        assert len(peer.taken) == 1
        await served.at(START + timedelta(hours=1))
    assert len(peer.taken) == 2


async def test_a_new_secret_and_the_one_before_are_both_good_for_a_day(database: OpenDatabase) -> None:
    async with subscriber() as peer, house(database) as served:
        old = await subscribe(served, peer.url, PAID)
        new = (await served.as_("admin").post(f"/webhooks/{old['id']}/secret")).json()
        await served.deliver(*background(), golden(PAID))
        await served.work()
        await served.sql("UPDATE webhook SET previous_until = clock_timestamp() RETURNING 1")
        await served.deliver(golden(PAID))
        await served.work()
        shown = (await served.as_("admin").get(f"/webhooks/{old['id']}")).json()
    assert new["secret"] != old["secret"] and "secret" not in shown
    first, second = peer.taken
    assert verified(old, first) == verified(new, first)
    assert verified(new, second)
    with pytest.raises(WebhookVerificationError):
        verified(old, second)


async def test_a_test_event_and_a_replay_go_the_same_way(database: OpenDatabase) -> None:
    async with subscriber() as peer, house(database) as served:
        hook = await subscribe(served, peer.url, PAID)
        api = served.as_("admin")
        sent = (await api.post(f"/webhooks/{hook['id']}/test")).json()
        await served.deliver(*background(), golden(PAID, reference="TRX-1"))
        await served.deliver(golden(PAID, reference="TRX-2"))
        await served.work()
        assert verified(hook, peer.taken[0])["type"] == sent["type"] == "notifier.webhook_test.v1"
        one = (await posts(served, hook, type=PAID))[-1]
        assert (await api.post(f"/webhooks/{hook['id']}/deliveries/{one['event_id']}/replay")).status_code == 202
        assert (await api.post(f"/webhooks/{hook['id']}/deliveries/{one['event_id']}/replay")).status_code == 409
        assert (await api.post(f"/webhooks/{hook['id']}/deliveries/{new_id()}/replay")).status_code == 404
        await served.work()
        day = {"since": START.isoformat(), "until": (START + timedelta(days=1)).isoformat()}
        assert (await api.post(f"/webhooks/{hook['id']}/replay", json=day)).json() == {"replayed": 3}
        await served.work()
        before = {"since": (START - timedelta(days=1)).isoformat(), "until": START.isoformat()}
        assert (await api.post(f"/webhooks/{hook['id']}/replay", json=before)).json() == {"replayed": 0}
        tries = await served.sql("SELECT attempts FROM webhook_post")
        assert [row.attempts for row in tries] == [1, 1, 1], "what goes again has all its tries"
    assert peer.ids[3] == one["event_id"]
    assert [each for each in peer.ids[4:] if each != sent["event_id"]] == peer.ids[1:3], "in the order in which they went out first"


async def test_at_most_four_at_once_for_one_subscriber_however_many_workers(database: OpenDatabase) -> None:
    async with subscriber(linger=0.05) as peer, house(database) as served:
        await subscribe(served, peer.url, PAID)
        people = [str(new_id()) for _ in range(24)]
        await served.deliver(*(golden("billing.customer_registered.v1", customer_id=each) for each in people))
        await served.deliver(*(golden(PAID, customer_id=each) for each in people))
        context = served.runtime.job_context(START)
        while sum(await asyncio.gather(*(job.run(context) for _ in range(3)))):
            pass
    assert len(peer.taken) == len(set(peer.ids)) == 24
    assert peer.most_at_once == 4


async def test_a_slow_subscriber_holds_up_nobody_else(database: OpenDatabase) -> None:
    async with subscriber(["slow"] * 5) as slow, subscriber() as quick, house(database) as served:
        await subscribe(served, slow.url, PAID)
        await subscribe(served, quick.url, PAID)
        people = [str(new_id()) for _ in range(30)]
        await served.deliver(*(golden("billing.customer_registered.v1", customer_id=each) for each in people))
        await served.deliver(*(golden(PAID, customer_id=each) for each in people))
        running = asyncio.create_task(job.run(served.runtime.job_context(START)))
        async with asyncio.timeout(30):
            while len(quick.taken) < 30:
                await asyncio.sleep(0.005)
        assert not running.done(), "the slow one is still being waited for"
        await running


@pytest.mark.parametrize("since", ["- interval '1 second'", "+ interval '1 hour'"], ids=["past", "the clock was set back"])
async def test_what_a_killed_worker_had_is_sent_again_with_the_same_id(database: OpenDatabase, since: str) -> None:
    async with subscriber() as peer, house(database) as served:
        hook = await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID))
        await served.sql(HELD)
        assert await served.next_due() == START, "the conductor waits for what is under way"
        await served.work()
        assert peer.taken == []
        await served.sql(f"UPDATE webhook_post SET claimed_until = clock_timestamp() {since} RETURNING 1")
        await served.work()
        assert [each["state"] for each in await posts(served, hook)] == ["DELIVERED"]


@pytest.mark.parametrize("at_first", [0, 1, 100], ids=["empty", "one_waited", "a_hundred_waited"])
async def test_what_waits_for_a_subscriber_is_not_read_to_find_what_is_due(database: OpenDatabase, at_first: int) -> None:
    """Who was away for a weekend has thousands of events before it, and what is known of the table is of before that."""
    async with house(database) as served:
        hook = await subscribe(served, "http://127.0.0.1:9", PAID)
        waiting = (
            "WITH e AS (INSERT INTO webhook_event (id, type, at, body) "
            "SELECT gen_random_uuid(), $2, $1, '{}' FROM generate_series(1, $4) RETURNING id) "
            "INSERT INTO webhook_post (webhook_id, event_id, key, state, attempts, next_attempt_at, detail) "
            "SELECT $3, id, (row_number() OVER () % 100)::text, 'QUEUED', 0, $1, '' FROM e RETURNING 1"
        )
        await served.sql(waiting, START, PAID, UUID(hook["id"]), at_first)
        await served.sql("ANALYZE webhook_event, webhook_post")
        await served.sql(waiting, START, PAID, UUID(hook["id"]), 2000)
        looks: dict[str, tuple[Any, ...]] = {NEXT: (START,), WITH_WORK: (START,), UNDER_WAY: (UUID(hook["id"]),)}
        looks[CLAIM] = (UUID(hook["id"]), START, "worker", timedelta(seconds=5), AT_ONCE)
        for query, arguments in looks.items():
            (plan,) = (await served.sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", *arguments))[0][0]
            assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 200, query


async def test_what_a_killed_worker_had_waits_for_a_subscriber_who_rests_and_so_does_the_conductor(database: OpenDatabase) -> None:
    """Nobody may send it before: a clock that waited for it would wait for ever."""
    async with subscriber() as peer, house(database) as served:
        hook = await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID))
        await served.sql(HELD)
        rests = START + timedelta(minutes=5)
        await served.sql("UPDATE webhook SET misses = 1, rests_until = $1 RETURNING 1", rests)

        async def due() -> datetime | None:
            async with served.runtime.database.look() as session:
                return await job.next_due(session, served.runtime.job_context(START))

        assert await due() == START, "who has it may be alive"
        await served.sql("UPDATE webhook_post SET claimed_until = clock_timestamp() - interval '1 second' RETURNING 1")
        assert await due() == rests
        await served.at(rests)
        assert [each["state"] for each in await posts(served, hook)] == ["DELIVERED"]


async def test_who_waits_long_for_a_subscriber_keeps_its_claim(database: OpenDatabase) -> None:
    async with subscriber(["slow"]) as peer, house(database) as served:
        await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID))
        assert await served.prolongs("webhook_post", job.run(served.runtime.job_context(START)))


async def test_to_prolong_a_claim_waits_for_nobody(database: OpenDatabase) -> None:
    """Whoever records what became of some posts has locked them, and may want others that the prolonging has by then."""
    async with subscriber() as peer, house(database) as served:
        await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID))
        await served.sql(HELD)
        async with served.runtime.database.transaction() as recording:
            await rows(recording, "SELECT FROM webhook_post FOR UPDATE")
            async with asyncio.timeout(5), served.runtime.database.transaction() as session:
                await renew_post_claims(session, holder="killed")


PRIVATE = [
    "https://127.0.0.1/", "https://10.1.2.3/", "https://192.168.0.1/", "https://172.16.9.9/", "https://169.254.169.254/latest/meta-data",
    "https://[::1]/", "https://[fe80::1]/", "https://[fd00::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/", "https://0.0.0.0/", "https://100.64.0.1/", "https://224.0.0.1/", "https://[ff02::1]/",
]  # fmt: skip
FORMLESS = [
    "http://crm.example/", "ftp://crm.example/", "https://user:pass@crm.example/", "https://crm.example/#a", "https:///x", "una dirección",
    "https://crm.example:0/", "https://crm.example:99999/", "https://[::1", "https://crm.example/ñ", "https://crm.example/" + "x" * 500,
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE + FORMLESS)
async def test_an_address_that_must_not_be_called_is_refused(database: OpenDatabase, url: str) -> None:
    async with serve(SERVICE, await database("notifier"), START) as served:
        answer = await served.as_("admin").post("/webhooks", json={"url": url, "types": ["*"]})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "url"


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1"])
async def test_a_name_that_leads_to_a_private_network_is_never_called(database: OpenDatabase, host: str) -> None:
    """It is looked up when it is called, and what was found is what is connected to."""
    async with subscriber() as peer, house(database, webhook_networks=["10.0.0.0/8"]) as served:
        hook = await subscribe(served, peer.url.replace("127.0.0.1", host))
        await served.deliver(*background())
        await served.work()
        found = await posts(served, hook)
    assert {each["detail"] for each in found if each["detail"]} == {"Es una dirección de una red privada, que no está permitida."}
    assert peer.connections == 0


async def test_what_nobody_sends_cannot_be_subscribed_to(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("notifier"), START) as served:
        api = served.as_("admin")
        answer = await api.post("/webhooks", json={"url": "https://crm.example/", "types": ["billing.invoice_issed.v1", "billing.*"]})
        none = await api.post("/webhooks", json={"url": "https://crm.example/", "types": []})
        assert (await served.as_("marta.zelaya").post("/webhooks", json={"url": "https://crm.example/", "types": ["*"]})).status_code == 403
    [error] = answer.json()["errors"]
    assert error["field"] == "types.0" and "¿quiso decir «billing.invoice_issued.v1»?" in error["message"]
    assert none.status_code == 422


async def test_a_subscription_is_changed_paused_and_deleted(database: OpenDatabase) -> None:
    async with subscriber() as peer, house(database) as served:
        hook = await subscribe(served, peer.url, PAID)
        api = served.as_("admin")
        url = f"/webhooks/{hook['id']}"
        assert (await api.patch(url, json={"state": "PAUSED"}, headers={"if-match": '"9"'})).status_code == 412
        paused = await api.patch(url, json={"state": "PAUSED"}, headers={"if-match": '"1"'})
        assert (paused.json()["state"], paused.headers["etag"]) == ("PAUSED", '"2"')
        await served.deliver(*background(), golden(PAID))
        await served.work()
        assert peer.taken == [] and (await api.post(f"{url}/test")).status_code == 409
        await api.patch(url, json={"state": "ACTIVE", "types": ["noc.*"]}, headers={"if-match": '"2"'})
        await served.work()
        assert len(peer.taken) == 1, "what was kept for it"
        assert [each["id"] for each in (await api.get("/webhooks")).json()["items"]] == [hook["id"]]
        assert (await api.delete(url)).status_code == 204
        assert (await api.get(url)).status_code == 404
        await served.deliver(golden(PAID))
        await served.work()
    assert len(peer.taken) == 1


async def test_what_is_older_than_a_month_is_forgotten(database: OpenDatabase) -> None:
    async with subscriber() as peer, house(database) as served:
        await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID))
        await served.at(START + timedelta(days=31))
        await served.deliver(golden(PAID))
        await served.work()
        [left] = await served.sql("SELECT (SELECT count(*) FROM webhook_event) AS events, (SELECT count(*) FROM webhook_post) AS posts")
    assert (left.events, left.posts) == (1, 1) and len(peer.taken) == 2


async def test_many_slow_subscribers_take_no_connection_from_another(database: OpenDatabase) -> None:
    """What is quick is not told to have been slow, however many wait for the slow ones."""
    async with subscriber(["slow"] * 16) as slow, subscriber() as quick, house(database) as served:
        for _ in range(4):
            await subscribe(served, slow.url, PAID)
        hook = await subscribe(served, quick.url, PAID)
        people = [str(new_id()) for _ in range(12)]
        await served.deliver(*(golden("billing.customer_registered.v1", customer_id=each) for each in people))
        await served.deliver(*(golden(PAID, customer_id=each) for each in people))
        await job.run(served.runtime.job_context(START))
        [tries] = await served.sql(
            "SELECT count(*) AS n, count(*) FILTER (WHERE a.status = 204) AS taken FROM webhook_attempt a "
            "JOIN webhook_post p ON p.id = a.post_id WHERE p.webhook_id = $1",
            hook["id"],
        )
    assert (tries.n, tries.taken, len(quick.taken)) == (12, 12, 12) and slow.most_at_once == 16


async def test_more_subscribers_than_lanes_all_get_their_turn_in_a_run(database: OpenDatabase) -> None:
    """Those who were there first could be busy for ever."""
    async with subscriber() as peer, house(database) as served:
        for _ in range(job.LANES + 3):
            await subscribe(served, peer.url, PAID)
        await served.deliver(*background(), golden(PAID))
        await job.run(served.runtime.job_context(START))
    assert len(peer.taken) == job.LANES + 3
