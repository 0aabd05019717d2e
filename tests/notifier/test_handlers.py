"""Events come in, messages stand ready: to whom, with which words, and never twice."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.notifier.app import SERVICE
from shared.db import Database, new_id
from shared.events import CATALOGUE
from shared.events.notifier import MessageAccepted, MessageFailed
from shared.operator import Operator
from tests.notifier.samples import background, golden, occasion
from tests.support.rules import rule
from tests.support.service import operator, serve

START = datetime(2026, 3, 28, 14, 0, tzinfo=UTC)
OpenDatabase = Callable[[str], Awaitable[Database]]
SIX = ["gerente.ventas", "ingenieria.sps", "jefe.servicio", "recuperaciones", "cobros", "director.proyectos"]


def desks(*names: str) -> list[str]:
    return [f"{name}@redsula.example" for name in names]


def addresses(message: Any) -> list[str]:
    return [each["address"] for each in message.recipients]


MESSAGES = "SELECT id, notice, subject, text, html, state, reference, recipients FROM message ORDER BY id"


@rule("VIP-10")
async def test_five_desks_are_told_who_why_since_when_and_not_before_when(database: OpenDatabase) -> None:
    request = golden("collections.suspension_notice_requested.v1", notice="aviso_suspension_vip", requested_by="ana.martinez")
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*background(), request)
        [message] = await served.sql(MESSAGES)
    assert addresses(message) == desks("gerente.ventas", "gerente.cobros", "recuperaciones", "ingenieria.sps", "director.proyectos")
    assert message.reference == str(request.notice_id)
    for words in ("Ana Martínez", "Hotel Maya Real, S. A.", "$1,380.00", "5 de marzo de 2026", request.reason, "CLIENTE VIP"):
        assert words in message.text and words in message.html
    assert "el día 27 terminó sin un pago reportado" in message.text and "el día 27 terminó" in message.html
    assert "no antes del 29 de marzo de 2026, 8:05\u00a0a.\u00a0m." in message.text, (
        "24 hours after it was asked for, on the operator's clock"
    )


@rule("VIP-15")
@pytest.mark.parametrize(
    ("kind", "procedure"),
    [("SUSPENSION CLIENTE VIP", "suspension_cliente_vip"), ("SUSPENDIDO CLIENTE VIP", "suspendido_cliente_vip")],
)
async def test_the_closed_suspension_ticket_mails_six_desks(database: OpenDatabase, kind: str, procedure: str) -> None:
    closed = golden("ticketing.ticket_closed.v1", kind=kind, procedure=procedure, outcome="suspended")
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*background(), closed)
        [message] = await served.sql(MESSAGES)
    assert addresses(message) == desks(*SIX)
    assert message.reference == str(closed.ticket_id)
    assert f"{kind} n.º 412" in message.text and "SUSPENDIDO CLIENTE VIP" in message.text


@rule("VIP-15")
@pytest.mark.parametrize(
    ("opening", "segment", "words"),
    [
        ("CLIENTE VIP", None, "SUSPENDIDO CLIENTE VIP"),
        ("Suspendido  cliente VIP", None, "SUSPENDIDO CLIENTE VIP"),
        ("ACTIVO", None, "SUSPENDIDO POR MORA"),
        (None, None, "SUSPENDIDO POR MORA"),
        ("ACTIVO", "vip", "SUSPENDIDO CLIENTE VIP"),
        ("CLIENTE VIP", "residencial", "SUSPENDIDO POR MORA"),
    ],
)
async def test_a_customer_that_was_imported_is_spoken_of_in_the_words_of_its_policy(
    database: OpenDatabase, opening: str | None, segment: str | None, words: str
) -> None:
    known = [each for each in background() if each.TYPE not in {"collections.segment_changed.v1", "billing.customer_registered.v1"}]
    registered = golden("billing.customer_registered.v1", opening_status=opening)
    told = [golden("collections.segment_changed.v1", policy=segment)] if segment else []
    closed = golden("ticketing.ticket_closed.v1", kind="SUSPENSION CLIENTE VIP", procedure="suspension_cliente_vip", outcome="suspended")
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*told, registered, *known, closed)
        [message] = await served.sql(MESSAGES)
    assert message.text.startswith(words)


@rule("VIP-24")
@pytest.mark.parametrize("procedure", ["reconexion_cliente_vip", "reconexion_cliente_vip_terceros"])
async def test_the_closed_reconnection_ticket_mails_the_same_six(database: OpenDatabase, procedure: str) -> None:
    closed = golden("ticketing.ticket_closed.v1", kind="RECONEXION CLIENTE VIP", procedure=procedure, outcome="reconnected")
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*background(), closed)
        [message] = await served.sql(MESSAGES)
    assert addresses(message) == desks(*SIX)
    assert "RECONEXION CLIENTE VIP n.º 412" in message.text


@pytest.mark.parametrize("outcome", ["cancelled", "refused"])
async def test_a_cut_that_never_happened_is_no_mail(database: OpenDatabase, outcome: str) -> None:
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*background(), golden("ticketing.ticket_closed.v1", procedure="suspension_cliente_vip", outcome=outcome))
        assert await served.sql(MESSAGES) == []


async def test_a_residential_customer_is_told_itself_and_no_director_is(database: OpenDatabase) -> None:
    closed = golden("ticketing.ticket_closed.v1", kind="SUSPENSION POR MORA", procedure="suspension_residencial", outcome="suspended")
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*background("residencial"), closed)
        [message] = await served.sql(MESSAGES)
    assert addresses(message) == ["pagos@hotelmaya.example"]
    assert "SUSPENDIDO POR MORA" in message.html and "$1,380.00" in message.text


@pytest.mark.parametrize("notice", sorted(code for code, each in operator().notices.items() if not each.on.startswith("notifier.")))
async def test_every_notice_makes_one_message_however_often_its_event_comes(database: OpenDatabase, notice: str) -> None:
    event, event_id = occasion(operator().notices[notice]), new_id()
    policy = "residencial" if "residencial" in notice else "vip"
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*background(policy))
        await served.deliver(event, event_id=event_id)
        await served.deliver(event, event_id=event_id)
        await served.sql("DELETE FROM inbox RETURNING 1")  # the inbox was pruned, and the event comes from the archive once more
        await served.deliver(event, event_id=event_id)
        [message] = await served.sql(MESSAGES)
        await served.deliver(event)
        assert len(await served.sql(MESSAGES)) == 2, "another event is another message"
    assert message.notice == notice
    assert "\n" not in message.subject and message.subject
    assert message.html.startswith("<!doctype html>") and "{{" not in message.html + message.text


async def test_every_event_of_the_others_is_listened_to() -> None:
    assert SERVICE.events.types == {each for each in CATALOGUE if not each.startswith("notifier.")}


async def test_an_event_waits_for_the_customer_that_billing_has_not_told_yet(database: OpenDatabase) -> None:
    request = golden("collections.suspension_notice_requested.v1", notice="aviso_suspension_vip")
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(golden("collections.segment_changed.v1", policy="vip"), request)
        assert await served.sql(MESSAGES) == []
        [parked] = await served.sql("SELECT reason, detail FROM parked_event")
        assert parked.reason == "waiting" and "customer" in parked.detail
        await served.deliver(golden("billing.customer_registered.v1"))
        assert [each.notice for each in await served.sql(MESSAGES)] == ["aviso_suspension_vip"]
        assert await served.sql("SELECT 1 FROM parked_event") == []


async def test_a_customer_without_an_address_is_never_dropped_in_silence(database: OpenDatabase) -> None:
    silent = golden("billing.customer_registered.v1", contacts=[{"name": "Marta Pineda", "role": "billing", "phone": "+50499887766"}])
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(silent, *background()[1:], golden("collections.invoice_dispatch_requested.v1"))
        [message] = await served.sql(MESSAGES)
        [told] = await served.published()
        await served.work()
        assert len(await served.published(MessageFailed)) == 1
    assert message.state == "FAILED"
    assert (told.type, told.sequence) == (MessageFailed.TYPE, 1)
    assert told.event.reference == message.reference and "dirección" in told.event.reason
    assert told.event.recipient == "Hotel Maya Real, S. A."


async def test_contacts_of_the_role_get_it_and_nobody_twice(database: OpenDatabase) -> None:
    contacts = [
        {"name": "Marta", "role": "billing", "email": "pagos@hotelmaya.example"},
        {"name": "Marta P.", "role": "billing", "email": "PAGOS@hotelmaya.example"},
        {"name": "Técnico", "role": "technical", "email": "noc@hotelmaya.example"},
    ]
    notice = operator().notices["factura_del_mes"]
    only = notice.model_copy(update={"to": notice.to.model_copy(update={"roles": ["billing"]})})
    documents = using(operator(), {**operator().notices, "factura_del_mes": only})
    async with serve(SERVICE, await database("notifier"), START, using=documents) as served:
        await served.deliver(
            golden("billing.customer_registered.v1", contacts=contacts),
            *background()[1:],
            golden("collections.invoice_dispatch_requested.v1"),
        )
        [message] = await served.sql(MESSAGES)
    assert addresses(message) == ["pagos@hotelmaya.example"]


def using(documents: Operator, notices: dict[str, Any]) -> Operator:
    return documents.model_copy(update={"notices": notices})


async def test_a_template_that_does_not_fit_is_a_dead_letter_that_names_its_line(database: OpenDatabase) -> None:
    broken = operator().notices["pago_recibido"].model_copy(update={"on": "billing.invoice_voided.v1"})
    documents = using(operator(), {"pago_recibido": broken})
    async with serve(SERVICE, await database("notifier"), START, using=documents) as served:
        await served.deliver(*background(), golden("billing.invoice_voided.v1"))
        [parked] = await served.sql("SELECT reason, detail FROM parked_event")
    assert parked.reason == "dead"
    assert "templates/pago_recibido.subject.txt.j2:1" in parked.detail and "currency" in parked.detail


HOSTILE = 'Ñandú <script>alert(1)</script> {{ 7*7 }} #panic() & "Co"\r\nBcc: everyone@example.com'


async def test_a_hostile_name_stays_a_name(database: OpenDatabase) -> None:
    customer = golden("billing.customer_registered.v1", name=HOSTILE)
    request = golden(
        "collections.suspension_notice_requested.v1", notice="aviso_suspension_vip", reason="</td></mj-table><mj-raw>\x07 {%x%}"
    )
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(customer, *background()[1:], request)
        [message] = await served.sql(MESSAGES)
    assert "\n" not in message.subject and "\r" not in message.subject
    assert "<script>" not in message.html and "&lt;script&gt;" in message.html
    assert "{{ 7*7 }}" in message.html and "49 #panic" not in message.html
    assert "\x07" not in message.html + message.text
    assert "&lt;/td&gt;" in message.html


async def test_open_amounts_follow_payments(database: OpenDatabase) -> None:
    reported, rejected = golden("billing.payment_reported.v1"), golden("billing.payment_rejected.v1")
    part = [{"invoice_id": str(reported.allocations[0].invoice_id), "amount": "1000.0000"}]

    async with serve(SERVICE, await database("notifier"), START) as served:

        async def left() -> Decimal:
            [row] = await served.sql("SELECT open_amount FROM invoice")
            found: Decimal = row.open_amount
            return found

        await served.deliver(*background())
        assert await left() == Decimal("1380")
        await served.deliver(golden("billing.payment_reported.v1", allocations=part))
        assert await left() == Decimal("380")
        await served.deliver(
            rejected.model_copy(update={"allocations": golden("billing.payment_rejected.v1", allocations=part).allocations})
        )
        assert await left() == Decimal("1380")
        await served.deliver(golden("billing.invoice_paid.v1"))
        assert await left() == Decimal(0)


async def test_of_what_comes_in_one_batch_nothing_is_left_out_and_the_later_one_counts(database: OpenDatabase) -> None:
    """Two parts of payments on one invoice, two states and two agents of one customer."""
    reported = golden("billing.payment_reported.v1")
    named = {"invoice_id": str(reported.allocations[0].invoice_id)}
    paid = [golden("billing.payment_reported.v1", allocations=[{**named, "amount": amount}]) for amount in ("1000.0000", "100.0000")]
    async with serve(SERVICE, await database("notifier"), START) as served:
        await served.deliver(*background(), *paid)
        await served.deliver(*(golden("billing.customer_changed.v1", name=name) for name in ("Antes S.A.", "Después S.A.")))
        await served.deliver(*(golden("collections.agent_assigned.v1", agent=agent) for agent in ("ana.martinez", "lucia.flores")))
        [row] = await served.sql(
            "SELECT i.open_amount, c.name, a.agent FROM invoice i "
            "JOIN customer c ON c.id = i.customer_id JOIN assignment a ON a.customer_id = c.id"
        )
    assert tuple(row) == (Decimal("280"), "Después S.A.", "lucia.flores")


async def test_an_outage_has_no_customer_to_tell_of(database: OpenDatabase) -> None:
    """A message to desks about a node: delivered like all others, but nobody waits for an event about it."""
    template = operator().notices["red_sin_resultado"]
    notice = template.model_copy(update={"on": "noc.outage_declared.v1", "template": "prueba"})
    folder = operator().folder
    documents = operator().model_copy(update={"notices": {"red_sin_resultado": notice}, "folder": folder, "fingerprint": "another"})
    from jinja2 import DictLoader

    from shared.operator.templates import templates_of

    texts = {f"prueba.{ending}": "Nodo {{ event.access_node }}" for ending in ("subject.txt.j2", "txt.j2")}
    texts["prueba.mjml.j2"] = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>{{ event.access_node }}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    for environment in (templates_of(documents).text, templates_of(documents).markup):
        environment.loader = DictLoader(texts)
    async with serve(SERVICE, await database("notifier"), START, using=documents) as served:
        await served.deliver(golden("noc.outage_declared.v1"))
        await served.work()
        [message] = await served.sql(MESSAGES)
        assert await served.published(MessageAccepted, MessageFailed) == []
    assert message.subject == "Nodo SPS-NORTE-03" and message.state == "FAILED"
