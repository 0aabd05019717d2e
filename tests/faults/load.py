"""A steady mixed load: payments, promises, suspensions and reconnections, by people and by the system, without an end.

A load is a callable `(stage, chance)` that asks `stage.counter` for commands while `stage.going` is set, until it is cancelled; another one
takes this one's place with `--load module:function`. Each customer here goes round in a circle, so that there is always something to do:

home    pays all it owes (the system reconnects it), the bank has no such money (the system suspends it again)
company its agent suspends it, it pays, its agent reconnects it, the bank has no such money, and a new notice is given
payer   promises once, and then pays a little at a time; the bank confirms
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from typing import Any

from tests.faults.commands import Command
from tests.faults.stage import Stage
from tests.flows.books import residential, vip
from tests.flows.stories import Customer, customers_of
from tests.support.processes import Processes

Load = Callable[[Stage, random.Random], Coroutine[Any, Any, None]]
HOMES, COMPANIES, PAYERS = 24, 16, 24
NODES = 12  # one access node takes few calls at a time
PER_SECOND = 8.0
AT_ONCE = 24
IMPATIENT = 0.1  # of the commands: who gave up will never know
STUBBORN = 3  # refusals in a row, then the next thing is tried
ROUNDS = {
    "home": ("pay", "reject"),
    "company": ("suspend", "pay", "reconnect", "reject", "notice"),
    "payer": ("promise", *("pay a little", "confirm") * 50),
}
BANK, FRONT = "ines.reyes", "ana.martinez"


@dataclass
class Account:
    """A customer and where it is in its round."""

    customer: Customer
    kind: str
    total: str
    steps: Iterator[str] = field(init=False)
    step: str = field(init=False)
    payment: str = ""
    paid: int = 0
    refusals: int = 0
    busy: bool = False

    def __post_init__(self) -> None:
        self.steps = cycle(ROUNDS[self.kind])
        self.step = next(self.steps)

    def settle(self, command: Command) -> None:
        """Go on, or try the same again."""
        self.refusals = self.refusals + 1 if command.outcome == "refused" else 0
        if command.outcome == "acknowledged" or self.refusals >= STUBBORN:
            if command.kind.startswith("pay") and command.outcome == "acknowledged":
                self.payment = command.answer["id"]
            self.step, self.refusals = next(self.steps), 0


@dataclass
class Town:
    """The customers whom this load moves, as they stand when the load begins."""

    accounts: list[Account]
    paid_on: str
    promised_for: str

    def command(self, account: Account) -> Command:
        """What the account does next."""
        customer, path = account.customer, f"/collections/customers/{account.customer.id}"
        if account.step in ("confirm", "reject"):
            reason = {"reason": "El banco no lo tiene"} if account.step == "reject" else {}
            return Command(account.step, BANK, f"/billing/payments/{account.payment}/{account.step}", reason)
        if account.step.startswith("pay"):
            account.paid += 1
            return Command(account.step, FRONT, "/billing/payments", self._payment(account))
        if account.step == "promise":
            promise = {"amount": usd(account.total), "due_at": self.promised_for}
            return Command("promise", customer.agent, f"{path}/promises", promise)
        if account.step in ("suspend", "notice"):
            what = "suspensions" if account.step == "suspend" else "suspension-notices"
            return Command(account.step, customer.agent, f"{path}/{what}", {})
        return Command("reconnect", customer.agent, f"{path}/reconnections", {"basis": "payment"})

    def _payment(self, account: Account) -> dict[str, Any]:
        return {
            "customer_id": account.customer.id,
            "amount": usd(account.total if account.step == "pay" else "1.00"),
            "channel": "transferencia",
            "reference": f"TRF-{account.customer.id}-{account.paid}",
            "paid_on": self.paid_on,
        }


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


async def move_in(house: Processes) -> Sequence[Account]:
    """The town's customers, from the import to the 28th of March: whoever did not pay is suspended or about to be."""
    homes = [residential(f"R-{n}", f"Familia {n}", node=f"NODO-{n % NODES}") for n in range(HOMES)]
    payers = [residential(f"P-{n}", f"Familia paciente {n}", node=f"NODO-{n % NODES}") for n in range(PAYERS)]
    companies = [vip(f"C-{n}", f"Hotel {n}", node=f"NODO-{n % NODES}") for n in range(COMPANIES)]
    customers = await customers_of(house, *homes, *payers, *companies)
    await house.until("2026-03-26T09:00")
    house.hurried = True
    for each in customers[HOMES + PAYERS :]:
        await each.does("suspension-notices")
    await house.until("2026-03-28T08:00")
    kinds = ["home"] * HOMES + ["payer"] * PAYERS + ["company"] * COMPANIES
    totals = {"home": "45.89", "payer": "45.89", "company": "690.00"}
    return [Account(customer, kind, totals[kind]) for customer, kind in zip(customers, kinds, strict=True)]


async def mixed(stage: Stage, chance: random.Random) -> None:
    """The load itself; comes back only when it is cancelled."""
    accounts = list(await move_in(stage.house))
    today = (await stage.today()).date()
    town = Town(accounts, today.isoformat(), stage.house.instant(f"{today + timedelta(days=8)}T12:00").isoformat())

    async def one(account: Account, patient: bool) -> None:
        account.settle(await stage.counter.ask(town.command(account), patient=patient))
        account.busy = False

    stage.ready.set()
    async with asyncio.TaskGroup() as people:
        while True:
            await stage.going.wait()
            free = [each for each in accounts if not each.busy]
            if free and stage.counter.waiting < AT_ONCE:
                account = chance.choice(free)
                account.busy = True
                people.create_task(one(account, chance.random() > IMPATIENT))
            await asyncio.sleep(chance.expovariate(PER_SECOND))
