"""What billing does when collections speaks."""

from shared.events.collections import AgentAssigned, SegmentChanged
from tests.billing.books import Book, customer_id, line, local
from tests.support.rules import rule
from tests.support.service import Served


async def segment(billing: Served, external_id: str, policy: str) -> SegmentChanged:
    """Collections puts the customer under this policy."""
    who, now = await customer_id(billing, external_id), await billing.now()
    return SegmentChanged(customer_id=who, policy=policy, note="Lista de Ventas", changed_by="marta.zelaya", changed_at=now)


async def agent(billing: Served, external_id: str, person: str) -> AgentAssigned:
    """Collections gives the customer to this agent."""
    who, now = await customer_id(billing, external_id), await billing.now()
    return AgentAssigned(customer_id=who, agent=person, assigned_by="marta.zelaya", assigned_at=now)


@rule("VIP-3", "VIP-5")
async def test_the_policy_gives_due_date_and_place_of_the_next_invoice(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"), line(id="C-2"))
    await billing.deliver(await segment(billing, "C-2", "vip"))
    await billing.at(local("2026-03-01"))
    found = await billing.sql(
        "SELECT c.external_id, i.due_date::text AS due FROM invoice i JOIN customer c ON c.id = i.customer_id ORDER BY number"
    )
    assert [tuple(row) for row in found] == [("C-2", "2026-03-05"), ("C-1", "2026-03-10")]
    await billing.deliver(await segment(billing, "C-1", "vip"))
    dues = await billing.sql("SELECT due_date::text AS due FROM invoice ORDER BY number")
    assert [row.due for row in dues] == ["2026-03-05", "2026-03-10"]  # invoices that are out keep their dates


async def test_the_agent_is_shown_with_the_customer(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", gestor="ana.martinez"))
    told = len(await billing.published())
    await billing.deliver(await agent(billing, "C-1", "lucia.flores"))
    assert (await billing.sql("SELECT assigned_agent, version FROM customer"))[0] == ("lucia.flores", 1)
    assert len(await billing.published()) == told


async def test_of_two_changes_in_one_batch_the_later_one_counts(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"))
    await billing.deliver(*[await segment(billing, "C-1", policy) for policy in ("residencial", "vip")])
    await billing.deliver(*[await agent(billing, "C-1", person) for person in ("ana.martinez", "lucia.flores")])
    assert (await billing.sql("SELECT policy, assigned_agent FROM customer"))[0] == ("vip", "lucia.flores")
