"""Plans that change, services that begin and end in mid-month, fees, and what tickets agreed."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from services.billing.jobs import imports
from shared.db import new_id
from shared.errors import Invalid, NotFound, Refused
from shared.events.billing import AgreementRefused, CreditNoteIssued, CustomerChanged, InvoiceIssued, ServicePlanChanged
from shared.events.collections import FeeDue
from shared.events.ticketing import AgreementReached
from tests.billing.books import Book, customer_id, faults, line, local, report, vip
from tests.billing.money import billed, confirm, credit, dispute, invoice_of, owed, plan, service_of
from tests.support.rules import rule
from tests.support.service import Served

UP, DOWN = "corporativo_100", "corporativo_50"  # 780.00 and 450.00 a month


@pytest.fixture
async def book_of_vips(billing: Served, book: Book) -> Served:
    """February 28: V-1 has Corporativo 100, V-2 Corporativo 50."""
    await book.customers(billing, vip(id="V-1"), vip(id="V-2", plan=DOWN))
    return billing


async def lines(billing: Served) -> list[tuple[str, Decimal]]:
    """The lines of the last invoice told."""
    return [(each.description, each.base) for each in (await billing.published(InvoiceIssued))[-1].event.lines]


@rule("FACT-6")
async def test_a_change_before_the_run_is_billed_by_days_when_the_month_comes(book_of_vips: Served) -> None:
    billing = book_of_vips
    await plan(billing, "V-2", UP, "2026-03-16")
    assert (await billing.sql("SELECT plan_code FROM service WHERE id = $1", await service_of(billing, "V-2")))[0].plan_code == DOWN
    await billing.at(local("2026-03-01"))
    assert await lines(billing) == [
        ("Corporativo 50 Mbps · 2026-03 (del 1 al 15)", Decimal("217.7400")),
        ("Corporativo 100 Mbps · 2026-03 (del 16 al 31)", Decimal("402.5800")),
    ]
    told = len(await billing.published(CustomerChanged))
    await billing.at(local("2026-03-15", "23:59"))
    assert len(await billing.published(CustomerChanged)) == told
    await billing.at(local("2026-03-16", "00:00"))
    changed = (await billing.published(CustomerChanged))[-1].event
    assert (changed.services[0].plan_code, changed.monthly_amount) == (UP, Decimal("780.0000"))
    assert await billed(billing, "V-2", "2026-03") == Decimal("620.3200")
    await billing.at(local("2026-04-01"))
    assert await billed(billing, "V-2", "2026-04") == Decimal("780.0000")


@rule("FACT-6")
async def test_an_upgrade_of_a_billed_month_is_charged_at_once(book_of_vips: Served) -> None:
    billing = book_of_vips
    await billing.at(local("2026-03-16"))
    await plan(billing, "V-2", UP, "2026-03-16")
    issued = (await billing.published(InvoiceIssued))[-1].event
    assert (issued.origin, issued.period, issued.base, issued.tax) == ("manual", "2026-03", Decimal("170.3200"), Decimal("25.5500"))
    assert issued.due_date == date(2026, 4, 5)  # with the next month's
    assert (
        issued.lines[0].description == "Cambio de plan desde el 16 de marzo de 2026: Corporativo 50 Mbps → Corporativo 100 Mbps · 2026-03"
    )
    assert await billed(billing, "V-2", "2026-03") == Decimal("620.3200")  # what the run would have billed
    told = await billing.published(ServicePlanChanged, CustomerChanged)
    assert [each.type for each in told[-2:]] == [ServicePlanChanged.TYPE, CustomerChanged.TYPE]


@rule("FACT-6")
async def test_a_downgrade_of_a_paid_month_is_credited_and_pays_the_next(book_of_vips: Served) -> None:
    billing = book_of_vips
    await billing.at(local("2026-03-10"))
    await confirm(billing, await report(billing, "V-1", "897.00", "R-1"))
    await plan(billing, "V-1", DOWN, "2026-03-16")
    note = (await billing.published(CreditNoteIssued))[0].event
    assert note.amount == Decimal("195.8700")  # 170.32 and its tax
    assert await billed(billing, "V-1", "2026-03") == Decimal("609.6800")
    await billing.at(local("2026-04-01"))
    assert (await owed(billing, "V-1"))[-1][:2] == ("2026-04", Decimal("321.6300"))  # 517.50 less the credit


async def test_back_and_forth_leaves_what_the_month_costs(book_of_vips: Served) -> None:
    billing = book_of_vips
    await billing.at(local("2026-03-08"))
    for day, code in (("2026-03-05", UP), ("2026-03-12", "dedicado_20"), ("2026-03-12", UP), ("2026-03-20", "dedicado_100")):
        await plan(billing, "V-2", code, day)
    exact = (450 * 4 + 780 * 15 + 1500 * 12) / Decimal(31)
    assert await billed(billing, "V-2", "2026-03") == round(exact, 2)
    await plan(billing, "V-2", UP, "2026-03-20")
    assert await billed(billing, "V-2", "2026-03") == round((450 * 4 + 780 * 27) / Decimal(31), 2)


async def test_two_months_back_are_put_right_month_by_month(book_of_vips: Served) -> None:
    billing = book_of_vips
    await billing.at(local("2026-04-10"))
    await plan(billing, "V-2", UP, "2026-03-16")
    assert (await billed(billing, "V-2", "2026-03"), await billed(billing, "V-2", "2026-04")) == (Decimal("620.3200"), Decimal("780.0000"))


@pytest.mark.parametrize("day", ["2026-02-28", "2024-01-01", "2027-05-01"])
async def test_a_day_out_of_reach_is_refused(book_of_vips: Served, day: str) -> None:
    await book_of_vips.at(local("2026-04-10"))
    with pytest.raises(Refused, match=f"desde el {day}") as caught:
        await plan(book_of_vips, "V-2", UP, day)
    assert caught.value.remedy == "Elija un día del 2026-03-01 al 2027-04-11."


async def test_what_cannot_be_changed(book_of_vips: Served) -> None:
    billing = book_of_vips
    with pytest.raises(Invalid, match="no tiene el plan «corporativo_101»"):
        await plan(billing, "V-2", "corporativo_101", "2026-03-16")
    with pytest.raises(Refused, match="ya tiene el plan"):
        await plan(billing, "V-2", DOWN, "2026-03-16")
    await plan(billing, "V-2", UP, "2026-03-16", monthly_amount=Decimal("700.00"))
    with pytest.raises(Refused, match="ya hay un cambio de plan desde el 2026-03-16"):
        await plan(billing, "V-2", DOWN, "2026-03-15")
    with pytest.raises(Invalid, match="monthly_amount"):
        await plan(billing, "V-2", DOWN, "2026-03-17", monthly_amount=Decimal("1.001"))
    with pytest.raises(NotFound):
        await plan(billing, "V-2", DOWN, "2026-03-17", service_id=new_id())


async def test_a_dispute_stands_against_a_downgrade_that_needs_its_amount(book_of_vips: Served) -> None:
    await book_of_vips.at(local("2026-03-10"))
    await dispute(book_of_vips, await invoice_of(book_of_vips, "V-1"), "890.00")
    with pytest.raises(Refused, match=r"está en disputa \$890\.00"):
        await plan(book_of_vips, "V-1", DOWN, "2026-03-16")
    assert await book_of_vips.published(ServicePlanChanged) == []


@rule("FACT-6")
async def test_a_service_that_begins_or_ends_in_a_billed_month(book_of_vips: Served) -> None:
    billing, client = book_of_vips, book_of_vips.as_("ines.reyes")
    await billing.at(local("2026-03-10"))
    path = f"/customers/{await customer_id(billing, 'V-2')}"
    new = {"code": "telefonia", "plan_code": "telefonia", "active_from": "2026-03-22"}
    added = await client.patch(path, json={"services": [new]}, headers={"if-match": '"1"'})
    assert added.status_code == 200, added.text
    assert await billed(billing, "V-2", "2026-03") == Decimal("450.00") + Decimal("6.42")  # 10 of 31 days of 19.90
    old = (await client.get(path)).json()["services"][0]
    sent = {name: old[name] for name in ("code", "plan_code", "monthly_amount", "delivery", "active_from")}
    ended = await client.patch(path, json={"services": [{**sent, "active_to": "2026-03-10"}]}, headers={"if-match": '"2"'})
    assert ended.status_code == 200, ended.text
    assert await billed(billing, "V-2", "2026-03") == Decimal("145.16") + Decimal("6.42")
    again = await client.patch(path, json={"services": [{**sent, "active_to": "2026-03-10"}]}, headers={"if-match": '"3"'})
    assert again.status_code == 200
    assert len(await billing.published(CreditNoteIssued)) == 1


async def fee(billing: Served, external_id: str, **changes: Any) -> FeeDue:
    given = {"fee_id": new_id(), "kind": "late", "amount": Decimal("5.00"), "invoice_id": None, **changes}
    who, now = await customer_id(billing, external_id), await billing.now()
    return FeeDue(customer_id=who, currency="USD", rule="RES-9", reason="Pago tardío", due_at=now, **given)


@rule("FACT-5")
async def test_a_fee_is_charged_once_with_the_catalogues_name_and_tax(book_of_vips: Served) -> None:
    billing = book_of_vips
    await billing.at(local("2026-03-12"))
    late = await fee(billing, "V-1", invoice_id=await invoice_of(billing, "V-1"))
    await billing.deliver(late)
    await billing.deliver(late)  # another event, the same fee
    await billing.deliver(await fee(billing, "V-2", kind="reconnection", amount=Decimal("10.00")))
    issued = [each.event for each in await billing.published(InvoiceIssued) if each.event.fee]
    assert [(each.fee, each.base, each.tax, each.lines[0].description) for each in issued] == [
        ("late", Decimal("5.0000"), Decimal("0.7500"), "Recargo por pago tardío · factura 000-001-01-00000001"),
        ("reconnection", Decimal("10.0000"), Decimal("1.5000"), "Cargo por reconexión"),
    ]
    assert issued[0].fiscal_code is not None


@rule("FACT-5")
async def test_what_is_charged_or_credited_in_the_evening_is_of_the_operator_s_day(book_of_vips: Served) -> None:
    billing = book_of_vips
    await billing.at(local("2026-03-31", "20:00"))  # in Greenwich it is April
    await billing.deliver(await fee(billing, "V-1", kind="reconnection"))
    [issued] = [each.event for each in await billing.published(InvoiceIssued) if each.event.fee]
    assert (issued.period, issued.issue_date) == ("2026-03", date(2026, 3, 31))
    note = await credit(billing, await invoice_of(billing, "V-1"), "1.00")
    assert note.issue_date == date(2026, 3, 31)


@rule("FACT-5")
async def test_fees_that_come_together_are_each_charged_once(book_of_vips: Served) -> None:
    billing = book_of_vips
    await billing.at(local("2026-03-12"))
    first = await fee(billing, "V-2", kind="reconnection", amount=Decimal("10.00"))
    late = await fee(billing, "V-1", invoice_id=await invoice_of(billing, "V-1"))
    again = await fee(billing, "V-1")
    await billing.deliver(first, late, first, again)
    issued = [each.event for each in await billing.published(InvoiceIssued) if each.event.fee]
    assert [each.customer_id for each in issued] == [first.customer_id, late.customer_id, again.customer_id]
    assert [each.base for each in issued] == [Decimal("10.0000"), Decimal("5.0000"), Decimal("5.0000")]
    numbers = [int(each.number.rpartition("-")[2]) for each in issued]
    assert numbers == list(range(numbers[0], numbers[0] + 3)), "no number is left out"
    assert len({each.invoice_id for each in issued}) == 3


async def agreed(
    billing: Served, external_id: str, kind: str, plan_code: str | None, day: str = "2026-03-16", **changes: Any
) -> AgreementReached:
    given = {"agreement_id": new_id(), "ticket_id": new_id(), "service_id": None, **changes}
    who, now = await customer_id(billing, external_id), await billing.now()
    return AgreementReached(
        customer_id=who, kind=kind, plan_code=plan_code, effective_from=date.fromisoformat(day), detail="Se queda con menos Mbps",
        agreed_by="sofia.mejia", agreed_at=now, **given,
    )  # fmt: skip


async def kept(billing: Served, agreement_id: UUID) -> tuple[str, str | None]:
    row = (await billing.sql("SELECT state, refusal FROM agreement WHERE id = $1", agreement_id))[0]
    return row.state, row.refusal


@rule("VIP-28")
async def test_what_was_agreed_in_a_ticket_is_carried_out_once(book_of_vips: Served) -> None:
    billing = book_of_vips
    await billing.at(local("2026-03-10"))
    deal = await agreed(billing, "V-1", "downgrade", DOWN)
    await billing.deliver(deal)
    await billing.deliver(deal)
    told = [each.event for each in await billing.published(ServicePlanChanged)]
    assert [(each.to_plan, each.reference, each.effective_from) for each in told] == [(DOWN, deal.ticket_id, date(2026, 3, 16))]
    assert await kept(billing, deal.agreement_id) == ("CARRIED_OUT", None)
    assert await billed(billing, "V-1", "2026-03") == Decimal("609.6800")
    other = await agreed(billing, "V-1", "other", None)
    await billing.deliver(other)
    assert await kept(billing, other.agreement_id) == ("NOTED", None)


@pytest.mark.parametrize(
    ("plan_code", "day", "why"),
    [
        ("dedicado_70", "2026-03-16", "el catálogo no tiene el plan «dedicado_70»"),
        (None, "2026-03-16", "no dice a qué plan"),
        (DOWN, "2025-03-16", "no puede cambiar desde el 2025-03-16"),
        (UP, "2026-03-16", "ya tiene el plan"),
    ],
)
async def test_what_cannot_be_carried_out_is_told_to_people(book_of_vips: Served, plan_code: str | None, day: str, why: str) -> None:
    billing = book_of_vips
    deal = await agreed(billing, "V-1", "downgrade", plan_code, day)
    await billing.deliver(deal)
    state, refusal = await kept(billing, deal.agreement_id)
    assert state == "REFUSED" and why in (refusal or "")
    told = (await billing.published(AgreementRefused))[0].event
    assert (told.ticket_id, told.detail) == (deal.ticket_id, refusal)
    assert await billing.published(ServicePlanChanged) == []
    listed = (await billing.as_("ines.reyes").get("/agreements", params={"state": "REFUSED"})).json()["items"]
    assert [each["id"] for each in listed] == [str(deal.agreement_id)]


async def test_of_a_customer_with_several_services_an_agreement_must_say_which(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", plan2="telefonia", precio2="19.90"))
    deal = await agreed(billing, "C-1", "upgrade", "hogar_200")
    await billing.deliver(deal)
    assert (await kept(billing, deal.agreement_id))[0] == "REFUSED"
    named = await agreed(billing, "C-1", "upgrade", "hogar_200", service_id=await service_of(billing, "C-1"))
    await billing.deliver(named)
    assert await kept(billing, named.agreement_id) == ("CARRIED_OUT", None)


async def sent(billing: Served, external_id: str, **service: Any) -> tuple[int, dict[str, Any], str | None]:
    """The customer's service with other values, by PATCH: status, body and ETag of the answer."""
    client, path = billing.as_("ines.reyes"), f"/customers/{await customer_id(billing, external_id)}"
    found = await client.get(path)
    old = found.json()["services"][0]
    kept = {name: old[name] for name in ("code", "plan_code", "monthly_amount", "delivery", "active_from", "active_to")}
    answer = await client.patch(path, json={"services": [{**kept, **service}]}, headers={"if-match": found.headers["etag"]})
    return answer.status_code, answer.json(), answer.headers.get("etag")


@rule("FACT-6")
async def test_a_plan_that_is_changed_with_the_customers_data_is_prorated_from_today_on(book_of_vips: Served) -> None:
    billing = book_of_vips
    await billing.at(local("2026-03-16"))
    status, _, etag = await sent(billing, "V-2", plan_code=UP, monthly_amount="780.00")
    assert (status, etag) == (200, '"2"')
    issued = (await billing.published(InvoiceIssued))[-1].event
    assert (issued.base, await billed(billing, "V-2", "2026-03")) == (Decimal("170.3200"), Decimal("620.3200"))
    assert issued.lines[0].description.startswith("Cambio de plan desde el 16 de marzo de 2026: Corporativo 50 Mbps → Corporativo 100 Mbps")
    told = await billing.published(ServicePlanChanged, CustomerChanged)
    assert [each.type for each in told[-2:]] == [ServicePlanChanged.TYPE, CustomerChanged.TYPE]
    assert (told[-2].event.effective_from, told[-2].event.reason) == (date(2026, 3, 16), "Cambio en los datos del cliente")
    assert (await sent(billing, "V-2"))[2] == '"2"', "the same again is nothing"
    await sent(billing, "V-1", plan_code=DOWN, monthly_amount="450.00", active_to="2026-03-20")
    exact = (780 * 15 + 450 * 5) / Decimal(31)  # both at once: the days that it was sold, each at its plan
    assert abs(await billed(billing, "V-1", "2026-03") - exact) < Decimal("0.01")
    await billing.at(local("2026-04-01"))
    assert await billed(billing, "V-2", "2026-04") == Decimal("780.0000")


@rule("FACT-6")
async def test_a_plan_that_is_decided_already_is_not_overtaken_by_the_customers_data_or_a_file(book_of_vips: Served, book: Book) -> None:
    billing = book_of_vips
    await billing.at(local("2026-03-10"))
    await plan(billing, "V-2", UP, "2026-03-20")
    status, problem, _ = await sent(billing, "V-2", plan_code="dedicado_20", monthly_amount="600.00")
    assert (status, problem["rule"]) == (409, "FACT-6")
    assert "ya tiene decidido otro desde el 2026-03-20" in problem["detail"] and "/plan" in problem["remedy"]
    assert (await sent(billing, "V-2", network_login="v-2"))[0] == 200
    batch = await book.customers(billing, vip(id="V-1"), vip(id="V-2", plan="dedicado_20", contacto="Eva"))
    assert batch.rows_changed == 1
    await billing.at(local("2026-03-21"))
    found = await billing.sql("SELECT plan_code FROM service WHERE id = $1", await service_of(billing, "V-2"))
    assert (found[0].plan_code, len(await billing.published(ServicePlanChanged))) == (UP, 1)


@rule("FACT-6")
@pytest.mark.parametrize("together", [200, 1])
async def test_plans_and_ends_that_a_file_brings_are_prorated_from_its_day_on(
    book_of_vips: Served, book: Book, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(imports, "REPRICED_ROWS", together)
    billing = book_of_vips
    await book.customers(billing, vip(id="V-1"), vip(id="V-2", plan=DOWN), vip(id="V-3", plan2="telefonia"), vip(id="V-4"))
    await billing.at(local("2026-03-16"))
    await dispute(billing, await invoice_of(billing, "V-4"), "890.00")
    file = (vip(id="V-1", plan=DOWN), vip(id="V-2", plan=UP), vip(id="V-3"), vip(id="V-4", plan=DOWN))
    batch = await book.customers(billing, *file)
    assert (batch.rows_changed, batch.notices) == (4, 1)
    [(_, column, _, why)] = await faults(billing, batch)
    assert column == "(servicios)" and why.startswith("El cambio del servicio se aplicó, pero el mes facturado no se ajustó: ")
    months = {each: await billed(billing, each, "2026-03") for each in ("V-1", "V-2", "V-3", "V-4")}
    ended = (Decimal("19.90") * 15 / 31).quantize(Decimal("0.01"))
    assert months == {"V-1": Decimal("609.68"), "V-2": Decimal("620.32"), "V-3": 780 + ended, "V-4": Decimal(780)}
    told = len(await billing.published())
    await book.customers(billing, *file)
    assert len(await billing.published()) == told, "the same file again"
