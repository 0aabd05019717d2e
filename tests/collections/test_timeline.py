"""A customer's timeline across the services: what is kept, in which order, what people may ask for, and that every event has a sentence."""

import importlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.collections.rules.sentences import KEPT, TOPICS, Words, say
from shared.db import execute, new_id
from shared.events import CATALOGUE
from shared.events.noc import OutageClosed, OutageDeclared
from shared.events.notifier import DeliveryProof, MessageAccepted
from shared.events.ticketing import Captured, StepFinished, TicketOpened
from tests.collections.api_scene import OpenDatabase, Scene, local, scene
from tests.support.service import operator

GOLDEN = Path("tests/contracts/golden")
BROKEN_WORDS = re.compile(r"\bNone\b|\{|\}|  |\.\.|«»|: \.")


def sample(kind: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((GOLDEN / f"{kind}.json").read_text())["data"]
    return found


@pytest.mark.parametrize("kind", sorted(KEPT))
def test_every_event_that_was_once_told_has_a_sentence(kind: str) -> None:
    words = Words(operator(), operator().policy("vip"), {})
    said = say(words, kind, sample(kind))
    assert said.text[0].isupper() or said.text[0] == "«", said.text
    assert not BROKEN_WORDS.search(said.text), said.text
    assert said.rule is None or said.rule
    assert KEPT[kind].topic in TOPICS


def test_only_what_is_nobodys_story_has_no_sentence() -> None:
    """A customer's registration is told by its account; a run and an integrator's address are no customer's."""
    without = {"billing.customer_registered.v1", "billing.customer_changed.v1", "billing.billing_run_completed.v1"}
    assert set(CATALOGUE) - set(KEPT) == without | {"notifier.webhook_disabled.v1"}


async def entries(told: Scene, customer: UUID, **query: Any) -> list[dict[str, object]]:
    answer = await told.served.as_("ana.martinez").get(f"/customers/{customer}/timeline", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["items"]
    return found


async def ticketed(told: Scene, customer: UUID) -> None:
    """A ticket with a task that was done, and the mail that follows."""
    at, ticket = await told.served.now(), new_id()
    opened = TicketOpened(
        ticket_id=ticket,
        number=57,
        customer_id=customer,
        kind="SUSPENDIDO CLIENTE VIP",
        procedure="suspendido_cliente_vip",
        desk="ingenieria",
        requested_by="ana.martinez",
        opened_at=at,
    )
    finished = StepFinished(
        ticket_id=ticket,
        number=57,
        customer_id=customer,
        kind=opened.kind,
        procedure=opened.procedure,
        step="engineering",
        turn=1,
        name="Suspender con el proveedor",
        outcome="done",
        label="Suspendido",
        desk="ingenieria",
        finished_by="oscar.banegas",
        captured=[Captured(name="case", label="Caso del proveedor", kind="text", value="88123")],
        comment="Puerto 12 apagado.",
        finished_at=at,
    )
    mail = MessageAccepted(
        message_id=new_id(),
        customer_id=customer,
        notice="ticket_suspension_cerrado",
        reference=str(ticket),
        recipients=1,
        accepted_at=at,
        subject="Ticket 57",
        deliveries=[DeliveryProof(name="Ventas", recipient="ventas@redsula.example", message_id="<1@redsula.example>", accepted_at=at)],
    )
    await told.served.deliver(opened, finished, mail)


async def test_what_every_service_tells_is_one_story(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        await ticketed(told, customer)
        await told.reported(customer)
        found = await entries(told, customer)
        assert [each["kind"] for each in found] == [
            "registered", "segment", "invoice", "ticket_opened", "step_finished", "message_accepted", "payment_reported",
        ]  # fmt: skip
        step = found[4]
        assert step["text"] == "Ticket 57, Suspender con el proveedor: Suspendido. Caso del proveedor: 88123. «Puerto 12 apagado.»"
        assert (step["who"], step["who_name"], step["rule"]["id"]) == ("oscar.banegas", "Óscar Banegas", "VIP-14")  # type: ignore[index]
        assert found[3]["text"] == "Se abre el ticket 57 «SUSPENDIDO CLIENTE VIP» en INGENIERIA SPS."
        numbers = [each["number"] for each in found[1:]]
        assert numbers == sorted(numbers)  # type: ignore[type-var]


async def test_it_is_asked_for_by_topic_and_day_in_either_order_page_by_page(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        await told.served.at(local("2026-03-10 23:59"))
        await ticketed(told, customer)
        await told.served.at(local("2026-03-11 00:00"))
        await told.reported(customer)
        whole = await entries(told, customer)
        assert [each["kind"] for each in await entries(told, customer, topic=["tickets", "payments"])] == [
            "ticket_opened", "step_finished", "payment_reported",
        ]  # fmt: skip
        of_day = await entries(told, customer, from_day="2026-03-10", to_day="2026-03-10")
        assert {each["local"] for each in of_day} == {"martes 10 de marzo de 2026 a las 23:59"}
        assert [each["kind"] for each in await entries(told, customer, from_day="2026-03-11")] == ["payment_reported"]
        assert await entries(told, customer, sort="-at") == whole[::-1]
        for sort, expected in (("at", whole), ("-at", whole[::-1])):
            seen: list[Any] = []
            cursor = None
            while True:
                page: dict[str, Any] = {"limit": 2, "sort": sort} | ({"cursor": cursor} if cursor else {})
                answer = (await told.served.as_("ana.martinez").get(f"/customers/{customer}/timeline", params=page)).json()
                seen += answer["items"]
                if (cursor := answer["next"]) is None:
                    break
            assert seen == expected
        wrong = await told.served.as_("ana.martinez").get(
            f"/customers/{customer}/timeline", params={"from_day": "2026-03-11", "to_day": "2026-03-10"}
        )
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "to_day")


async def test_an_outage_is_told_to_everybody_behind_the_node_and_to_nobody_else(database: OpenDatabase) -> None:
    async with scene(database) as told:
        behind, elsewhere = await told.customer("C-1"), await told.customer("C-2", access_node="TGU-9")
        outage, at = new_id(), await told.served.now()
        declared = OutageDeclared(outage_id=outage, access_node="SPS-1", description="Fibra", declared_by="noc.turno", declared_at=at)
        closed = OutageClosed(outage_id=outage, access_node="SPS-1", solution="Empalme", closed_by="noc.turno", closed_at=at)
        await told.served.deliver(declared, closed)
        assert [each["kind"] for each in await entries(told, behind)][-2:] == ["outage", "outage_closed"]
        assert [each["kind"] for each in await entries(told, elsewhere, topic="outages")] == []


async def test_a_ticket_of_a_customer_that_is_not_known_yet_waits_for_it(database: OpenDatabase) -> None:
    async with scene(database) as told:
        stranger = new_id()
        await ticketed(told, stranger)
        assert {row.reason for row in await told.served.sql("SELECT reason FROM parked_event")} == {"waiting", "behind"}
        await told.customer("C-7", customer_id=stranger)
        await told.served.inbox.release()
        assert {"ticket_opened", "step_finished", "message_accepted"} <= {str(each["kind"]) for each in await entries(told, stranger)}
        assert await told.served.sql("SELECT 1 FROM parked_event") == []


async def test_what_happened_before_happenings_were_kept_is_told_again_from_the_facts(database: OpenDatabase) -> None:
    """A month in which everything occurs that earlier releases kept; then the table is emptied and the migration fills it."""
    earlier = importlib.import_module("services.collections.migrations.0011_tax_ids_and_earlier_happenings")
    async with scene(database) as told:
        customer = await told.vip()
        invoice = await told.invoice(customer)
        ana = told.served.as_("ana.martinez")
        await told.served.at(local("2026-03-10 08:00"))
        await ana.post(f"/customers/{customer}/invoice-dispatches", json={"invoice_id": str(invoice)})
        await ana.post(f"/customers/{customer}/contacts", json={"kind": "receipt_confirmed", "channel": "teléfono", "said": "La recibió."})
        promise = {"amount": {"amount": "460.00", "currency": "USD"}, "due_at": "2026-03-20T17:00:00-06:00"}
        await ana.post(f"/customers/{customer}/promises", json=promise)
        await ana.post(f"/customers/{customer}/reviews", json={"reason": "Revisa el cargo."})
        await ana.post(f"/customers/{customer}/reviews/close", json={"conclusion": "Es correcto."})
        await told.served.at(local("2026-03-26 08:00"))
        await ana.post(f"/customers/{customer}/suspension-notices", json={})
        await told.notice_accepted()
        await told.served.at(local("2026-03-28 08:00"))
        await ana.post(f"/customers/{customer}/suspensions", json={})
        await told.suspended()
        await told.confirmed(customer, await told.reported(customer))
        await ana.post(f"/customers/{customer}/reconnections", json={"basis": "payment"})
        kept = [each["kind"] for each in await entries(told, customer)]
        assert {"invoice_sent", "receipt_confirmed", "promise_broken", "review_closed", "suspended", "reconnection", "status"} <= set(kept)
        await told.served.sql("DELETE FROM happening")
        async with told.served.runtime.database.transaction() as session:
            await execute(session, earlier.EARLIER.format(payment=earlier.PAYMENT))
        again = await entries(told, customer)
        assert Counter(str(each["kind"]) for each in again) == Counter(str(each) for each in kept)
        assert not [each["text"] for each in again if BROKEN_WORDS.search(str(each["text"]))]
