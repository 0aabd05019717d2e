"""A past day explained once more: from what was known on that day, whatever was heard of since."""

import ast
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest

from services.collections.models import Table
from services.collections.models.past import KEPT
from services.collections.queries.past import BORN
from shared.db import new_id
from shared.events.billing import Allocation, InvoiceIssued, PaymentReported
from tests.collections.api_scene import local, scene
from tests.collections.chronicle import Chronicle
from tests.collections.factories import Customer
from tests.collections.retelling import told_otherwise
from tests.collections.story import OpenDatabase, story

CHANGES = re.compile(rf"UPDATE ((?:{'|'.join(KEPT)})(?: \w+)? SET \w+(?: = t\.(?:version|told)(?:, \w+)?)?)")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("status", "kind"), [("CLIENTE VIP", "dedicated"), ("ACTIVO", "residential")])
async def test_every_past_day_is_decided_and_explained_as_it_was(database: OpenDatabase, seed: int, status: str, kind: str) -> None:
    async with story(database, customer=Customer(status=status, plan_kind=kind)) as told:
        chronicle = Chronicle(told, random.Random(seed))
        await chronicle.play(40)
        assert len(chronicle.noted) > 40
        for then in chronicle.noted:
            again = await chronicle.known(then.at, then.at)
            assert again.facts == then.facts
            assert again.assessment == then.assessment
            assert again.explanation == then.explanation
            later = await chronicle.known(then.at + timedelta(microseconds=1), then.at + timedelta(microseconds=1))
            assert later.facts == then.facts
        async with told.service.runtime.database.transaction() as session:
            assert await told_otherwise(session, [told.customer.id], operator=told.service.runtime.operator) == []


def test_every_statement_that_changes_a_fact_says_since_when_it_is_known() -> None:
    """What is only a cache, or only shown, is no fact: statuses and versions of accounts, and that the day of an invoice has ended."""
    silent = [found for text in statements() if "known_at" not in text for found in CHANGES.findall(text)]
    assert sorted(silent) == ["account a SET version = t.told, status", "account a SET version = t.version", "invoice SET overdue_at"]


def statements() -> Iterator[str]:
    """Every text in the code of collections."""
    for path in Path("services/collections").rglob("*.py"):
        if "migrations" not in path.parts:
            texts = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
            yield from (each for each in texts if isinstance(each, str))


def test_every_table_that_knows_since_when_keeps_what_it_said() -> None:
    knowing = {name for name, table in Table.metadata.tables.items() if "known_at" in table.columns}
    assert knowing == set(KEPT) <= set(BORN)


async def test_the_explanation_of_a_past_instant_over_the_api(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip(name="Hotel Ejecutivo")
        await told.invoice(customer)
        await told.served.at(at := local("2026-03-10 09:00"))
        path = f"/customers/{customer}/explanation"
        then = await told.get(path)
        assert then["status"]["code"] == "active" and "debe $460.00" in then["status"]["reason"]
        await told.served.at(local("2026-03-12 09:00"))
        payment = reported(customer, told.invoices[customer][0], at=local("2026-03-09 12:00"))  # three days late
        await told.served.deliver(payment)
        await told.served.work()
        now = await told.get(path)
        assert now["facts"] != then["facts"]
        assert await told.get(f"{path}?at={quote(at.isoformat())}") == then
        for wrong in ("2026-03-12T09:00:01-06:00", "2026-01-01T09:00:00-06:00"):
            refused = await told.served.as_("ana.martinez").get(f"{path}?at={quote(wrong)}")
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "at")


def reported(customer_id: UUID, invoice: InvoiceIssued, at: datetime) -> PaymentReported:
    """The whole invoice is reported as paid at an instant."""
    return PaymentReported(
        payment_id=new_id(),
        customer_id=customer_id,
        amount=invoice.total,
        currency="USD",
        reference="TRX-9",
        channel="banco",
        reported_at=at,
        reported_by="ines.reyes",
        allocations=[Allocation(invoice_id=invoice.invoice_id, amount=invoice.total)],
        open_after=Decimal(0),
    )
