"""Whatever became of an account, it can be read: details, explanation, timeline, qualification and worklist, in whole sentences."""

import re
from datetime import timedelta
from uuid import UUID

from shared.db import new_id
from shared.events.billing import InvoiceVoided, PaymentRejected
from shared.events.collections import SuspensionRequested
from shared.events.noc import OutageClosed, OutageDeclared
from shared.events.notifier import MessageFailed
from shared.events.ticketing import ServiceReconnected, SuspensionCancelled, SwitchUnresolved
from tests.collections.api_scene import OpenDatabase, Scene, local, scene

MONEY = {"amount": "460.00", "currency": "USD"}
BROKEN_WORDS = re.compile(r"\bNone\b|\{|\}|  |\.\.|«»|: \.")


async def readable(told: Scene, customer: UUID) -> dict[str, str]:
    """Read the account in every way; answer its status and the kinds of its timeline."""
    for path in ("", "/explanation", "/timeline", "/qualification"):
        found = await told.get(f"/customers/{customer}{path}", "marta.zelaya")
        for text in sentences(found):
            assert not BROKEN_WORDS.search(text), (path, text)
    await told.get("/worklist", "marta.zelaya")
    shown = await told.get(f"/customers/{customer}/explanation", "marta.zelaya")
    kinds = [each["kind"] for each in (await told.get(f"/customers/{customer}/timeline?limit=200", "marta.zelaya"))["items"]]
    return {"label": shown["status"]["label"], "kinds": " ".join(kinds)}


def sentences(value: object) -> list[str]:
    """Every text of an answer that people read."""
    if isinstance(value, dict):
        own = [each for name, each in value.items() if name in ("text", "reason", "remedy", "summary", "by", "label") and each]
        return [each for each in own if isinstance(each, str)] + [text for each in value.values() for text in sentences(each)]
    return [text for each in value for text in sentences(each)] if isinstance(value, list) else []


async def post(told: Scene, customer: UUID, path: str, body: object) -> None:
    answer = await told.served.as_("ana.martinez").post(f"/customers/{customer}/{path}", json=body)
    assert answer.status_code < 300, answer.text
    await told.served.work()


async def cut_asked(told: Scene) -> UUID:
    """A customer whose cut is ordered on day 28."""
    customer = await told.vip(f"C-{new_id().hex[-6:]}")
    await told.invoice(customer)
    await told.served.at(max(await told.served.now(), local("2026-03-26 08:00")))
    await post(told, customer, "suspension-notices", {})
    await told.notice_accepted()
    await told.served.at(max(await told.served.now() + timedelta(days=1), local("2026-03-28 08:00")))
    await post(told, customer, "suspensions", {})
    return customer


async def test_customers_that_came_to_us_in_another_state(database: OpenDatabase) -> None:
    async with scene(database) as told:
        labels = ["CLIENTE VIP", "ACTIVO TEMPORAL PAGO", "INVESTIGAR", "PLAN DE PAGO COBROS", "SUSPENDIDO CLIENTE VIP"]
        for number, label in enumerate(labels):
            customer = await told.customer(f"C-{number}", opening_status=label)
            await told.invoice(customer, period="2026-02", origin="opening")
            assert (await readable(told, customer))["label"] == label


async def test_an_order_to_cut_with_every_end(database: OpenDatabase) -> None:
    async with scene(database) as told:
        ends = {}
        for cause in ("payment", "refused"):
            customer = await cut_asked(told)
            asked = (await told.served.published(SuspensionRequested))[-1].event
            at = await told.served.now()
            event = SuspensionCancelled(
                suspension_id=asked.suspension_id, ticket_id=new_id(), customer_id=customer, cause=cause, cancelled_at=at
            )
            await told.served.deliver(event)
            await told.served.work()
            ends[cause] = await readable(told, customer)
        assert all("suspension_ended" in each["kinds"] for each in ends.values())
        customer = await cut_asked(told)
        unresolved = SwitchUnresolved(
            switch_id=new_id(),
            ticket_id=new_id(),
            customer_id=customer,
            action="suspend",
            outcome="unknown",
            detail="el equipo no contestó",
            at=await told.served.now(),
        )
        await told.served.deliver(unresolved)
        assert "switch_unresolved" in (await readable(told, customer))["kinds"]
        shown = (await told.get(f"/customers/{customer}"))["suspension"]
        assert shown["unresolved"] == "el equipo no contestó"
        await told.suspended()
        shown = (await told.get(f"/customers/{customer}"))["suspension"]
        assert (shown["suspended_at"] is None, shown["unresolved"]) == (False, None), "the outcome is known"
        back = (
            "UPDATE suspension SET unresolved = 'sin respuesta', unresolved_at = $1, reconnection_refused_at = {at} WHERE account_id = $2"
        )
        for refused, left_open in (("NULL", "sin respuesta"), ("$1", None)):  # its ticket closed without it
            await told.served.sql(f"{back.format(at=refused)} RETURNING 1", await told.served.now() + timedelta(days=1), customer)
            assert (await told.get(f"/customers/{customer}"))["suspension"]["unresolved"] == left_open


async def test_an_outage_takes_an_order_back(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await cut_asked(told)
        outage, at = new_id(), await told.served.now()
        await told.served.deliver(
            OutageDeclared(outage_id=outage, access_node="SPS-1", description="Fibra", declared_by="noc.turno", declared_at=at)
        )
        await told.served.work()
        assert "suspension_withdrawn" in (await readable(told, customer))["kinds"]
        await told.served.deliver(
            OutageClosed(outage_id=outage, access_node="SPS-1", solution="Empalme", closed_by="noc.turno", closed_at=at)
        )
        await told.served.work()
        await readable(told, customer)


async def test_a_notice_that_failed_and_a_payment_that_was_rejected(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        invoice = await told.invoice(customer)
        await told.served.at(local("2026-03-26 08:00"))
        await post(told, customer, "suspension-notices", {})
        notice = (await told.get(f"/customers/{customer}"))["notice"]["id"]
        at = await told.served.now()
        failed = MessageFailed(
            message_id=new_id(),
            customer_id=customer,
            notice="aviso_suspension_vip",
            reference=notice,
            recipient="ventas@redsula.example",
            reason="el buzón no existe",
            failed_at=at,
        )
        await told.served.deliver(failed)
        await told.served.work()
        state = await readable(told, customer)
        assert "suspension_notice_failed" in state["kinds"]
        item = (await told.get("/worklist"))["items"][0]
        assert any("mándelo de nuevo" in each["text"] for each in item["reasons"])
        payment = await told.reported(customer)
        rejected = PaymentRejected(
            payment_id=payment,
            customer_id=customer,
            amount="460.00",
            currency="USD",
            reference="TRX-1",
            rejected_at=at,
            reason="cheque sin fondos",
            allocations=[{"invoice_id": invoice, "amount": "460.00"}],
            open_after="460.00",
        )
        await told.served.deliver(rejected)
        await told.served.work()
        assert "payment_rejected" in (await readable(told, customer))["kinds"]
        await told.served.deliver(
            InvoiceVoided(
                invoice_id=invoice, customer_id=customer, number="000-001-01-00000001", period="2026-03", reason="Error", voided_at=at
            )
        )
        await told.served.work()
        assert "invoice_voided" in (await readable(told, customer))["kinds"]


async def test_agreements_kept_and_broken(database: OpenDatabase) -> None:
    async with scene(database) as told:
        kept, broken, planned, lost = [await told.vip(f"C-{number}") for number in range(4)]
        for customer in (kept, broken, planned, lost):
            await told.invoice(customer)
        await told.served.at(local("2026-03-10 08:00"))
        for customer in (kept, broken):
            await post(told, customer, "promises", {"amount": MONEY, "due_at": "2026-03-20T17:00:00-06:00"})
        for customer in (planned, lost):
            await post(told, customer, "payment-plans", {"instalments": [{"due_at": "2026-03-20T17:00:00-06:00", "amount": MONEY}]})
        await told.served.at(local("2026-03-15 08:00"))
        await told.reported(kept, reference="A")
        await told.reported(planned, reference="B")
        await told.served.at(local("2026-03-21 08:00"))
        states = {
            name: await readable(told, each) for name, each in (("kept", kept), ("broken", broken), ("planned", planned), ("lost", lost))
        }
        assert "promise_kept" in states["kept"]["kinds"]
        assert "promise_broken" in states["broken"]["kinds"]
        assert "payment_plan_completed" in states["planned"]["kinds"]
        assert "payment_plan_broken" in states["lost"]["kinds"]
        assert states["lost"]["label"] == "CLIENTE VIP"


async def test_a_customer_after_its_reconnection(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await cut_asked(told)
        await told.suspended()
        payment = await told.reported(customer)
        await post(told, customer, "reconnections", {"basis": "payment"})
        order = (await told.get(f"/customers/{customer}"))["suspension"]
        await told.served.deliver(
            ServiceReconnected(
                suspension_id=order["id"],
                reconnection_id=order["reconnection_id"],
                ticket_id=new_id(),
                customer_id=customer,
                basis="payment",
                target_status="temporary_active",
                reconnected_at=await told.served.now(),
            )
        )
        await told.served.work()
        state = await readable(told, customer)
        assert state["label"] == "ACTIVO TEMPORAL PAGO"
        assert state["kinds"].endswith("suspended status payment_reported reconnection reconnected status")
        await told.served.at(local("2026-03-30 08:00"))
        await told.confirmed(customer, payment)
        assert (await readable(told, customer))["label"] == "CLIENTE VIP"
