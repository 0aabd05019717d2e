"""Anything may happen to customers' money, in any order: the books stay right after every step."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from services.billing.operations import payments
from services.billing.queries.invariants import invariants
from shared.errors import Problem
from tests.billing.books import Book, line, report, vip
from tests.billing.money import confirm, credit, dispute, move, plan, refund, resolve, reverse
from tests.support.service import Served

CUSTOMERS = ("C-1", "C-2", "V-1")
PAID = "channel <> 'saldo inicial'"
PLANS = ("hogar_10", "hogar_50", "corporativo_50", "corporativo_100")


class Chance:
    """One story, told by a seed."""

    def __init__(self, billing: Served, seed: int) -> None:
        self.billing, self.dice, self.references = billing, random.Random(seed), 0
        self.steps: list[Callable[[], Awaitable[Any]]] = [
            self.report, self.report, self.confirm, self.confirm, self.reject, self.reverse, self.move, self.credit, self.credit,
            self.dispute, self.resolve, self.refund, self.plan, self.days,
        ]  # fmt: skip

    async def step(self) -> str:
        """Something that people do; what a rule refuses leaves everything as it was."""
        chosen = self.dice.choice(self.steps)
        with suppress(Problem):
            await chosen()
        return chosen.__name__

    async def report(self) -> None:
        self.references += 1
        await report(self.billing, self.dice.choice(CUSTOMERS), self.amount(), f"R-{self.references}")

    async def confirm(self) -> None:
        await confirm(self.billing, await self.one("SELECT id FROM payment WHERE state = 'REPORTED' ORDER BY id"))

    async def reject(self) -> None:
        payment = await self.one("SELECT id FROM payment WHERE state = 'REPORTED' ORDER BY id")
        now = await self.billing.now()
        async with self.billing.runtime.database.transaction() as session:
            await payments.reject_payment(session, payment_id=payment, reason="No llegó", by="ines.reyes", now=now)

    async def reverse(self) -> None:
        await reverse(self.billing, await self.one(f"SELECT id FROM payment WHERE state = 'CONFIRMED' AND {PAID} ORDER BY id"))

    async def move(self) -> None:
        await move(self.billing, await self.one(f"SELECT id FROM payment WHERE {PAID} ORDER BY id"), self.dice.choice(CUSTOMERS))

    async def credit(self) -> None:
        await credit(self.billing, await self.one("SELECT id FROM invoice ORDER BY id"), self.dice.choice([None, self.amount()]))

    async def dispute(self) -> None:
        await dispute(self.billing, await self.one("SELECT id FROM invoice ORDER BY id"), self.amount())

    async def resolve(self) -> None:
        await resolve(self.billing, await self.one("SELECT id FROM dispute WHERE state = 'OPEN' ORDER BY id"), self.dice.random() < 0.5)

    async def refund(self) -> None:
        await refund(self.billing, self.dice.choice(CUSTOMERS), self.dice.choice(["0.01", "5.00", self.amount()]))

    async def plan(self) -> None:
        today = (await self.billing.now()).date() + timedelta(days=self.dice.randint(-20, 20))
        await plan(self.billing, self.dice.choice(CUSTOMERS), self.dice.choice(PLANS), today.isoformat())

    async def days(self) -> None:
        await self.billing.at(await self.billing.now() + timedelta(days=self.dice.randint(1, 12)))

    async def one(self, sql: str) -> UUID:
        found = await self.billing.sql(sql)
        if not found:
            raise Problem("nothing there yet")
        chosen: UUID = self.dice.choice(found).id
        return chosen

    def amount(self) -> str:
        return str(Decimal(self.dice.choice([1, 500, 4589, self.dice.randint(1, 120_000)])) / 100)


@pytest.mark.parametrize("seed", range(6))
async def test_the_books_are_right_after_every_step(billing: Served, book: Book, seed: int) -> None:
    owing = {"factura": "A-1", "mes": "2026-02", "emitida": "2026-02-01", "vence": "2026-02-10", "total": "45.89", "debe": "30.00"}
    await book.customers(billing, line(id="C-1", **owing), line(id="C-2", saldo="-50.00"), vip(id="V-1"))
    chance, told = Chance(billing, seed), list[str]()
    for _ in range(60):
        told.append(await chance.step())
        async with billing.runtime.database.transaction() as session:
            assert await invariants(session) == [], told[-5:]
