"""Three months in one call, in ninety calls, and with what different senders say shuffled: the same statuses, events and mails."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services import wiring
from services.migrate import SERVICES
from shared.courier import Courier
from shared.events import Envelope
from shared.worker import Worker
from tests.flows.books import residential, vip
from tests.flows.stories import Customer, customers_of
from tests.support.house import TestHouse, open_test_house
from tests.support.rules import rule
from tests.support.transport import ShufflingInbox

END = "2026-06-01T00:00"
ROWS = (
    vip("C-1", "Hotel Copantl"),
    vip("C-2", "Banco de Occidente"),
    vip("C-3", "Cementos del Norte", delivery="third_party"),
    residential("R-1", "Norma Oliva"),
    residential("R-2", "Edwin Paz", node="CHOLOMA-1"),
    residential("R-3", "Delmy Rosa"),
)


@dataclass
class Outcome:
    """What three months come to: a status per customer, what each service told of each customer in its order, mails with their instants."""

    statuses: dict[str, str]
    events: dict[tuple[str, str], list[str]]
    mails: list[tuple[str, str, str]]


class Shuffled(Worker):
    """Hears what different senders say in any order, as independent topics bring it."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if self.courier_inbox:
            self.courier_inbox = ShufflingInbox(self.inbox, self.courier_inbox.lease)


async def opening_days(house: TestHouse) -> list[Customer]:
    """What people do on the first of March; the rest happens by itself."""
    customers = await customers_of(house, *ROWS)
    hotel, bank, cement, norma, _, delmy = customers
    await house.until("2026-03-01T10:00")
    await hotel.promises("2026-03-10T17:00")
    await bank.agrees_plan(("2026-03-15T17:00", "345.00"), ("2026-04-15T17:00", "345.00"))
    await bank.reports_payment("345.00")
    await cement.does("reviews", {"reason": "Reclama el cargo de instalación."})
    await norma.reports_payment()
    paid = await delmy.reports_payment()
    await house.post(f"/billing/payments/{paid['id']}/confirm", {}, "ines.reyes")
    return customers


async def in_one_call(house: TestHouse) -> None:
    await house.until(END)


async def in_ninety_calls(house: TestHouse) -> None:
    day = house.instant("2026-03-03T05:17")
    while day < house.instant(END):
        await house.until(day.replace(tzinfo=None).isoformat())
        day += timedelta(days=1)
    await house.until(END)


@pytest.mark.slow
@rule("RES-5", "VIP-11")
async def test_three_months_come_to_the_same_however_they_are_played(
    database_url: Callable[[str], Awaitable[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Envelope] = []
    send = Courier.send

    async def overheard(courier: Courier, batch: Sequence[Envelope], skip: frozenset[str], known: int) -> frozenset[str]:
        told.extend(batch)
        return await send(courier, batch, skip, known)

    monkeypatch.setattr(Courier, "send", overheard)

    async def played(name: str, pass_time: Callable[[TestHouse], Awaitable[None]]) -> Outcome:
        told.clear()
        databases = {service: await database_url(service) for service in SERVICES}
        async with open_test_house(databases, tmp_path / name) as house:
            customers = await opening_days(house)
            await pass_time(house)
            return await outcome_of(house, customers, told)

    expected = await played("una", in_one_call)
    assert len(expected.mails) == 29
    assert expected.statuses["Edwin Paz"] == "SUSPENDIDO POR MORA"
    many = await played("noventa", in_ninety_calls)
    monkeypatch.setattr(wiring, "Worker", Shuffled)
    shuffled = await played("mezclada", in_one_call)
    for other in (many, shuffled):
        assert other.statuses == expected.statuses
        assert other.events == expected.events
        assert other.mails == expected.mails


async def outcome_of(house: TestHouse, customers: Sequence[Customer], told: Sequence[Envelope]) -> Outcome:
    names = {each.id: str((await each.account())["name"]) for each in customers}
    events: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in {one.id: one for one in told}.values():
        events[each.source, names.get(each.key, "")].append(each.type)
    mails = sorted((str(each["To"]), str(each["Subject"]), str(each["Date"])) for each in house.mails())
    return Outcome({names[each.id]: await each.status() for each in customers}, dict(events), mails)
