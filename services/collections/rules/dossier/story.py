"""The content of a dossier, read again: the events of a customer with what they are told with."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from services.collections.rules import wording
from services.collections.rules.dossier.ledger import Ledger, ledger_of
from services.collections.rules.sentences import KEPT, Said, Words, registered
from shared.events import Event
from shared.operator import Operator

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Told:
    """An event of the customer: its instant, its place among all that was heard, and what it says."""

    at: datetime
    number: int
    event: Event


@dataclass(frozen=True)
class Story:
    """A dossier's content with the operator's words for it."""

    operator: Operator
    content: dict[str, Any]

    @classmethod
    def read(cls, operator: Operator, content: str) -> "Story":
        """Of the canonical text."""
        return cls(operator, json.loads(content))

    @cached_property
    def told(self) -> list[Told]:
        """Everything, the oldest first. What this release has no words for any more is left to the attached content."""
        return [
            Told(datetime.fromisoformat(each["at"]), each["number"], KEPT[each["type"]].event.model_validate(each["data"]))
            for each in self.content["happenings"]
            if each["type"] in KEPT
        ]

    def of(self, *kinds: type[E]) -> Iterator[tuple[Told, E]]:
        """The events of these types."""
        return ((each, each.event) for each in self.told if isinstance(each.event, kinds))

    @cached_property
    def ledger(self) -> Ledger:
        return ledger_of((each.at, each.event) for each in sorted(self.told, key=lambda each: each.number))

    @cached_property
    def words(self) -> Words:
        policy = self.operator.policy(self.content["customer"]["policy"])
        return Words(self.operator, policy, {key: bill.issued.number for key, bill in self.ledger.bills.items()})

    @cached_property
    def sentences(self) -> list[tuple[Told | None, Said, str]]:
        """The whole timeline: how the customer came to us, and everything after it; with its instant in figures."""
        customer = self.content["customer"]
        first = registered(self.words, customer["external_source"], customer["external_id"], customer["opening_status"])
        came = self.stamp(datetime.fromisoformat(customer["registered_at"]))
        spoken = [(each, KEPT[each.event.TYPE].sentence(self.words, each.event), self.stamp(each.at)) for each in self.told]
        return [(None, first, came), *spoken]

    @property
    def case(self) -> UUID | None:
        """The suspension that the dossier is about, if it is about one."""
        return UUID(self.content["case"]) if self.content["case"] else None

    def money(self, amount: Decimal | str) -> str:
        return wording.money(self.operator, Decimal(amount), self.content["customer"]["currency"])

    def stamp(self, instant: datetime | None) -> str:
        """`28/03/2026 08:05` on the operator's clock."""
        return f"{instant.astimezone(self.operator.zone):%d/%m/%Y %H:%M}" if instant is not None else ""

    def exact(self, instant: datetime | None) -> str:
        """To the second, where it proves something: `28/03/2026 08:05:09`."""
        return f"{instant.astimezone(self.operator.zone):%d/%m/%Y %H:%M:%S}" if instant is not None else ""

    def day(self, iso: str | None) -> str:
        """`05/03/2026` for `2026-03-05`."""
        return "/".join(reversed(iso.split("-"))) if iso else ""

    def who(self, person: str | None) -> str:
        return wording.who(self.operator, person) if person else ""

    def desks(self, codes: Iterable[str | None]) -> str:
        return ", ".join(self.operator.desk_names([each for each in codes if each]))
