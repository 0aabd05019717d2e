"""Plans whose price is a function of the operator's own."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.billing.adapters.price_functions import NoSuchPrice, price_functions
from services.billing.rules.prices import BadPrice, SoldMonth
from shared.db import Database
from shared.events.billing import InvoiceIssued
from shared.operator import Operator
from tests.billing.books import Book, line, local
from tests.billing.conftest import serving
from tests.support.service import operator


def by_length(sold: SoldMonth) -> Decimal | None:
    """A third of ten; whoever came this month pays the usual share."""
    return Decimal(10) / 3 if sold.active_from < sold.first_day else None


def free(sold: SoldMonth) -> Decimal:
    return Decimal(0)


def negative(sold: SoldMonth) -> Decimal:
    return Decimal(-1)


def rounded(sold: SoldMonth) -> Any:
    """A float: not exact."""
    return 9.99


def priced(plan: str, function: str) -> Operator:
    """The operator with a price function for one of its plans."""
    plans = [each.model_copy(update={"price": f"{__name__}:{function}"}) if each.code == plan else each for each in operator().plans]
    return operator().model_copy(update={"plans": plans})


async def month(database: Database, folder: Path, book: Book, using: Operator, *lines: dict[str, object]) -> list[Any]:
    """What March's run tells of these customers."""
    async with serving(database, folder, using=using) as billing:
        await book.customers(billing, *lines)
        await billing.at(local("2026-03-01", "12:00"))
        return [each.event for each in await billing.published(InvoiceIssued)]


Made = Callable[[str], Awaitable[Database]]


async def test_the_function_prices_its_plan_and_no_other(database: Made, tmp_path: Path, book: Book) -> None:
    lines = [line(id="C-1", plan2="telefonia", precio2="19.90"), line(id="C-2", alta="2026-03-16")]
    found = await month(await database("billing"), tmp_path, book, priced("hogar_50", "by_length"), *lines)
    bases = [[each.base for each in invoice.lines] for invoice in found]
    assert bases == [[Decimal("3.3300"), Decimal("19.9000")], [Decimal("20.5900")]]  # rounded once; 16 of 31 days of 39.90
    assert found[0].total == sum(each.total for each in found[0].lines)


async def test_a_price_of_zero_is_no_line_and_a_plan_without_amount_may_have_a_price(database: Made, tmp_path: Path, book: Book) -> None:
    opened = await database("billing")
    lines = [line(id="C-1", precio="0"), line(id="C-2", plan="hogar_200", precio="0")]
    found = await month(opened, tmp_path, book, priced("hogar_50", "by_length"), *lines)
    assert [each.base for each in found] == [Decimal("3.3300")]


@pytest.mark.parametrize("function", ["negative", "rounded"])
async def test_what_is_no_price_stops_the_run_before_anything_is_issued(database: Made, tmp_path: Path, book: Book, function: str) -> None:
    async with serving(await database("billing"), tmp_path, using=priced("hogar_50", function)) as billing:
        await book.customers(billing, line(id="C-1"))
        with pytest.raises(BadPrice, match="hogar_50"):
            await billing.at(local("2026-03-01", "12:00"))
        assert await billing.sql("SELECT 1 FROM invoice") == []


async def test_a_customer_whose_services_all_became_free_gets_a_voided_number(database: Made, tmp_path: Path, book: Book) -> None:
    async with serving(await database("billing"), tmp_path, using=priced("hogar_50", "free")) as billing:
        await book.customers(billing, line(id="C-1"))
        await billing.at(local("2026-03-01", "12:00"))
        assert [tuple(row) for row in await billing.sql("SELECT state, total FROM invoice")] == [("VOIDED", Decimal("0.0000"))]


@pytest.mark.parametrize("name", ["tests.billing.nowhere:price", f"{__name__}:nothing", f"{__name__}:Made.price", "json:__name__"])
def test_a_function_that_is_not_there_is_named(name: str) -> None:
    plans = [each.model_copy(update={"price": name}) for each in operator().plans[:1]]
    with pytest.raises(NoSuchPrice, match="hogar_10"):
        price_functions(operator().model_copy(update={"plans": plans}))


def test_plans_without_one_load_nothing() -> None:
    assert price_functions(operator()) == {}
