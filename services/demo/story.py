"""What the chapters of the demo share: who plays which part, what time it is, and how the story is told."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from babel.numbers import format_currency
from rich.console import Console
from rich.markup import escape

from services.demo.people import People
from shared.operator import Operator


@dataclass(frozen=True)
class Party:
    """A customer in the story."""

    id: str
    external_id: str
    name: str
    agent: str | None
    delivery: str
    node: str | None
    invoice_id: str
    number: str
    owed: Decimal


@dataclass
class Story:
    """The month as it is played. `parts` are the customers of each turn of the story, by its name."""

    people: People
    operator: Operator
    console: Console
    period: str
    began: float
    figures: Counter[str] = field(default_factory=Counter)
    parts: dict[str, list[Party]] = field(default_factory=dict)
    suspensions: dict[str, Party] = field(default_factory=dict)

    def at(self, day: int, hour: int = 0, minute: int = 0) -> datetime:
        """An instant of the month on the operator's clock; day 32 is the 1st of the next month."""
        first = date.fromisoformat(f"{self.period}-01")
        day_of = date.fromordinal(first.toordinal() + day - 1)
        return datetime(day_of.year, day_of.month, day_of.day, hour, minute, tzinfo=self.operator.zone)

    async def until(self, day: int, hour: int, minute: int = 0) -> None:
        """Let time pass until then."""
        self.figures["paradas del reloj"] += await self.people.advance(self.at(day, hour, minute))

    async def settle(self) -> None:
        """Let everything that was set going come to its end."""
        await self.people.settle()

    def title(self, text: str) -> None:
        """A new chapter."""
        self.console.print(f"\n[bold cyan]{escape(text)}[/] [dim]{time.monotonic() - self.began:4.0f} s[/]")

    def say(self, text: str) -> None:
        """One thing that happened."""
        self.console.print(f"  {escape(text)}", soft_wrap=True)

    def refused(self, problem: dict[str, Any]) -> None:
        """What a rule answered."""
        rule = problem.get("rule", "")
        self.console.print(f"  [yellow]No ({escape(str(rule))}):[/] {escape(problem['detail'])}", soft_wrap=True)

    def money(self, amount: Decimal | str) -> str:
        """An amount as the operator writes it."""
        return format_currency(Decimal(amount), self.operator.currency, self.operator.money_pattern, locale=self.operator.locale)

    def amount(self, amount: Decimal) -> dict[str, str]:
        """An amount as the API takes it."""
        return {"amount": f"{amount:.2f}", "currency": self.operator.currency}

    def who(self, person: str | None) -> str:
        """Somebody's name."""
        known = self.operator.person(person or "")
        return known.name if known else person or "nadie"

    def take(self, part: str, party: Party | None) -> Party | None:
        """Give a part to a customer (None: nobody is left for it)."""
        if party is not None:
            self.parts.setdefault(part, []).append(party)
        return party

    def playing(self, part: str) -> list[Party]:
        """Who has this part."""
        return self.parts.get(part, [])
