"""What others tell becomes facts, once, whatever order their words come in."""

from datetime import date
from decimal import Decimal

import pytest

from services.collections.app import SERVICE
from services.collections.queries.invariants import invariants
from shared.db import new_id
from shared.events.billing import Allocation, CreditNoteIssued, CustomerChanged, FreedPart, InvoiceVoided, PaymentAllocated
from shared.events.collections import StatusChanged, SuspensionRequested
from shared.events.noc import OutageClosed, OutageDeclared
from shared.events.ticketing import SwitchUnresolved
from tests.collections.factories import AGENT, OTHER_AGENT, Customer, local
from tests.collections.story import OpenDatabase, story
from tests.support.service import serve


async def test_a_customer_is_an_account_once_and_follows_billing(database: OpenDatabase) -> None:
    async with story(database) as told:
        registered = told.customer.registered()
        await told.tell(registered)
        changed = CustomerChanged(**{**registered.model_dump(), "name": "Otro Nombre S.A.", "services": []})
        await told.tell(changed)
        [row] = await told.service.sql("SELECT name, search_name, agent, policy, delivery, nodes FROM account")
        assert (row.name, row.search_name, row.agent, row.policy) == ("Otro Nombre S.A.", "otro nombre s.a.", AGENT, "vip")
        assert (row.delivery, row.nodes) == ("own", [])


async def test_of_two_changes_in_one_batch_the_later_one_counts(database: OpenDatabase) -> None:
    async with story(database) as told:
        base = told.customer.registered().model_dump()
        await told.service.deliver(*(CustomerChanged(**{**base, "name": name}) for name in ("Antes S.A.", "Después S.A.")))
        assert [row.name for row in await told.service.sql("SELECT name FROM account")] == ["Después S.A."]


async def test_an_agent_that_was_reassigned_here_stays_until_billing_names_another(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.service.sql("UPDATE account SET agent = $1 RETURNING id", OTHER_AGENT)
        base = told.customer.registered().model_dump()
        await told.tell(CustomerChanged(**base))
        assert (await told.facts()).agent == OTHER_AGENT
        await told.tell(CustomerChanged(**{**base, "assigned_agent": "lucia.flores"}))
        assert (await told.facts()).agent == "lucia.flores"


async def test_one_service_by_third_parties_makes_the_customer_theirs(database: OpenDatabase) -> None:
    async with story(database, customer=Customer(delivery="third_party")) as told:
        assert (await told.facts()).delivery == "third_party"


async def test_a_cut_s_answer_that_overtakes_its_customer_waits(database: OpenDatabase) -> None:
    """Ticketing's words about a suspension that is not known are set aside, not lost and not an error."""
    async with serve(SERVICE, await database("collections"), local(1)) as service:
        customer = Customer()
        await service.deliver(customer.suspended(new_id(), local(1)))
        [parked] = await service.sql("SELECT reason FROM parked_event")
        assert parked.reason == "waiting"


async def test_invoices_that_overtake_their_customer_wait_for_it(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("collections"), local(1)) as service:
        customer = Customer()
        await service.deliver(customer.invoice())
        await service.deliver(customer.registered(), source="elsewhere")
        await service.inbox.release()
        assert len(await service.sql("SELECT id FROM invoice")) == 1
        assert await service.sql("SELECT key FROM parked_event") == []


async def test_events_twice_change_nothing(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice = told.customer.invoice()
        payment = told.customer.reported("100.00", local(1, 6), (invoice, "100.00"))
        confirmed = told.customer.confirmed(payment, local(1, 6))
        for _ in range(2):
            await told.tell(invoice, payment, confirmed)
        facts = await told.facts()
        assert [len(each.parts) for each in facts.invoices] == [1] and len(facts.payments) == 1


async def test_money_left_over_pays_the_next_invoice(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice("100.00")
        payment = told.customer.reported("150.00", local(1, 6), (march, "100.00"))
        await told.tell(march, payment)
        april = told.customer.invoice("100.00", period="2026-04", due=date(2026, 4, 5))
        await told.until(local(1, month=4))
        more = PaymentAllocated(
            payment_id=payment.payment_id,
            customer_id=told.customer.id,
            currency="USD",
            confirmed=False,
            allocations=[Allocation(invoice_id=april.invoice_id, amount=Decimal(50))],
            open_after=Decimal(50),
            allocated_at=local(1, month=4),
        )
        await told.tell(april, more)
        assert [sum(part.amount for part in each.parts) for each in (await told.facts()).invoices] == [100, 50]
        whole = told.customer.confirmed(payment, local(2, month=4)).model_copy(
            update={"allocations": [*payment.allocations, *more.allocations]}
        )
        await told.until(local(2, month=4))
        await told.tell(whole)
        assert all(part.confirmed_at for each in (await told.facts()).invoices for part in each.parts)


async def test_a_credit_that_nobody_reported_here_counts_all_the_same(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice("100.00")
        credit = PaymentAllocated(
            payment_id=new_id(),
            customer_id=told.customer.id,
            currency="USD",
            confirmed=True,
            allocations=[Allocation(invoice_id=march.invoice_id, amount=Decimal(100))],
            open_after=Decimal(0),
            allocated_at=local(1, 6),
        )
        await told.tell(march, credit)
        assert not (await told.verdict("promise")).allowed


async def test_credits_and_credit_notes_that_come_in_one_batch_count_each(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice("100.00")
        credits = [
            PaymentAllocated(
                payment_id=new_id(),
                customer_id=told.customer.id,
                currency="USD",
                confirmed=True,
                allocations=[Allocation(invoice_id=march.invoice_id, amount=Decimal(amount))],
                open_after=Decimal(0),
                allocated_at=local(1, 6),
            )
            for amount in (20, 30)
        ]
        await told.service.deliver(march, *credits)
        sums = "SELECT sum(amount) AS paid FROM payment_part"
        assert (await told.service.sql(sums))[0].paid == Decimal(50)
        notes = [
            CreditNoteIssued(
                credit_note_id=new_id(),
                customer_id=told.customer.id,
                invoice_id=march.invoice_id,
                number=f"N-{at}",
                amount=Decimal(60),
                currency="USD",
                reason="cobro de más",
                issued_at=local(1, 7),
                open_after=Decimal(0),
                freed=[FreedPart(payment_id=each.payment_id, amount=Decimal(10))],
            )
            for at, each in enumerate(credits)
        ]
        await told.service.deliver(*notes)
        assert (await told.service.sql(sums))[0].paid == Decimal(30)


async def test_a_voided_invoice_is_not_owed(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        await told.promise("460.00", local(10, 17))
        voided = InvoiceVoided(
            invoice_id=march.invoice_id,
            customer_id=told.customer.id,
            number=march.number,
            period="2026-03",
            reason="error",
            voided_at=local(1, 6),
        )
        await told.tell(voided)
        await told.until(local(31))
        assert (await told.facts()).promises[0].state == "LAPSED"


async def test_an_unknown_outcome_is_shown_and_decides_nothing(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        cut = await told.cut()
        unknown = SwitchUnresolved(
            switch_id=new_id(),
            ticket_id=new_id(),
            customer_id=told.customer.id,
            action="reconnect",
            outcome="unknown",
            detail="sin respuesta del OLT",
            at=local(28, 10),
        )
        await told.tell(unknown)
        [row] = await told.service.sql("SELECT unresolved, state FROM suspension WHERE id = $1", cut.id)
        assert (row.unresolved, row.state) == ("sin respuesta del OLT", "SUSPENDED")


async def test_an_outage_that_began_before_the_customer_came(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("collections"), local(25)) as service:
        down = OutageDeclared(outage_id=new_id(), access_node="SPS-01", description="x", declared_by="noc.turno", declared_at=local(25))
        await service.deliver(down)
        customer = Customer(status="ACTIVO", plan_kind="residential", agent=None)
        await service.deliver(customer.registered(), customer.invoice("25.00", due=date(2026, 3, 10), origin="opening"))
        await service.at(local(31))
        assert await service.published(SuspensionRequested) == []


async def test_what_is_settled_stays_so_whatever_is_heard_of_late(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice = told.customer.invoice()
        false = told.customer.reported("460.00", local(1, 6), (invoice, "460.00"))
        await told.tell(invoice, false, told.customer.rejected(false, local(1, 7)), told.customer.confirmed(false, local(1, 8)))
        assert [row.confirmed_at for row in await told.service.sql("SELECT confirmed_at FROM payment")] == [None]
        cut = await told.cut()
        state = "SELECT state FROM suspension"
        await told.tell(told.customer.cancelled(cut.id, local(28, 10)))
        assert [row.state for row in await told.service.sql(state)] == ["SUSPENDED"]
        await told.tell(told.customer.reconnected(cut.id, local(28, 10)), told.customer.ordered(cut.id, local(28, 10)))
        assert [row.state for row in await told.service.sql(state)] == ["RECONNECTED"]


async def test_the_first_mail_that_all_servers_took_counts_whatever_becomes_of_others(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.until(local(26, 9))
        notice = await told.notice()
        await told.tell(told.customer.accepted(notice.id, local(26, 9)))
        await told.tell(told.customer.accepted(notice.id, local(26, 10)), told.customer.failed(notice.id, local(26, 10)))
        [row] = await told.service.sql("SELECT accepted_at, failed_at FROM suspension_notice")
        assert (row.accepted_at, row.failed_at) == (local(26, 9), None)


async def test_what_is_paid_and_bounces_in_one_instant_is_owed(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice, at = told.customer.invoice(), local(1, 7)
        payment = told.customer.reported("460.00", local(1, 6), (invoice, "460.00"))
        await told.tell(invoice, payment, told.customer.confirmed(payment, at), told.customer.paid(invoice, at))
        await told.tell(told.customer.bounced(payment, at))
        assert [row.paid_at for row in await told.service.sql("SELECT paid_at FROM invoice")] == [None]


@pytest.mark.parametrize("of", ["outage", "dispute"])
async def test_an_end_that_overtakes_its_beginning_waits_for_it(database: OpenDatabase, of: str) -> None:
    async with story(database) as told:
        invoice = told.customer.invoice()
        await told.tell(invoice)
        disputed = told.customer.disputed(invoice, "10.00", local(1, 6))
        closed = OutageClosed(outage_id=new_id(), access_node="SPS-01", solution="Empalme", closed_by="noc.turno", closed_at=local(1, 6))
        await told.service.deliver(closed if of == "outage" else told.customer.resolved(disputed, local(1, 6)))
        assert [row.reason for row in await told.service.sql("SELECT reason FROM parked_event")] == ["waiting"]


@pytest.mark.parametrize("late", ["payment", "cut"])
async def test_a_payment_and_a_cut_in_either_order_end_the_same(database: OpenDatabase, late: str) -> None:
    """Billing and ticketing are different senders: their words come in any order."""
    async with story(database, start=local(1), customer=Customer(status="ACTIVO", plan_kind="residential", agent=None)) as told:
        invoice = told.customer.invoice("25.00", due=date(2026, 3, 10))
        await told.tell(invoice)
        await told.until(local(20, 9))
        [order] = await told.told(SuspensionRequested)
        payment = told.customer.reported("25.00", local(20, 9), (invoice, "25.00"))
        done = [told.customer.suspended(order.suspension_id, local(20, 9)), told.customer.ordered(order.suspension_id, local(20, 9))]
        for event in [*done, payment] if late == "payment" else [payment, *done]:
            await told.tell(event)
        await told.tell(told.customer.reconnected(order.suspension_id, local(20, 9)))
        assert await told.status() == "temporary_active"
        assert len(await told.told(SuspensionRequested)) == 1
        assert [each.code for each in await told.told(StatusChanged)] == ["suspended", "temporary_active"]


async def test_many_customers_in_one_batch(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("collections"), local(1)) as service:
        crowd = [Customer(external_id=f"C-{at}") for at in range(50)]
        invoices = [each.invoice() for each in crowd]
        await service.deliver(*[each.registered() for each in crowd], *invoices)
        await service.at(local(2))
        async with service.runtime.database.transaction() as session:
            assert await invariants(session, operator=service.runtime.operator, now=local(2)) == []
        assert len(await service.sql("SELECT account_id FROM worklist JOIN account a ON a.id = account_id WHERE a.policy = 'vip'")) == 50
