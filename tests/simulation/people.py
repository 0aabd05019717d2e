"""What the customers of a world do in a month, each by a script of its own."""

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

AGENT, BANK, ENGINEER, NOC = "ana.martinez", "ines.reyes", "oscar.banegas", "noc.turno"
DESKS = {"ingenieria": ENGINEER, "cobros": AGENT}
NODES = ("SPS-1", "SPS-2", "CHOLOMA-1", "TELA-1")
# The instants at which people do something. The system cuts on the 20th at 9:00; VIPs are told on the 26th and cut from the 28th.
DAYS = (
    "2026-03-02T09:00",
    "2026-03-09T10:00",
    "2026-03-15T10:00",
    "2026-03-19T23:00",
    "2026-03-20T09:00",
    "2026-03-20T15:00",
    "2026-03-22T10:00",
    "2026-03-26T09:00",
    "2026-03-27T12:00",
    "2026-03-28T08:00",
    "2026-03-28T11:00",
    "2026-03-29T10:00",
    "2026-03-30T10:00",
)
END = "2026-03-31T20:00"
LAST = len(DAYS)  # what is still to be done when the month is over, and nobody is struck any more
PLANS = {"own": ("hogar_50", Decimal("39.90")), "vip": ("dedicado_20", Decimal("600.00"))}
PARTS: tuple[tuple[str, ...], ...] = ((), (), (), (), ("1",), ("1",), ("1",), ("0.4", "0.6"), ("0.4",), ("1", "1"))
NETWORK = ("done", "unknown_done,done", "unknown,done", "unknown,unknown_done,done", "unknown,unknown,done")


@dataclass
class Act:
    """Something that somebody does: a POST. It is sent again, under the same key, until it is answered; one that is `stubborn` and
    refused is tried again, under a new key, on each later day."""

    day: int
    what: str
    part: Decimal = Decimal(1)
    name: str = ""
    stubborn: bool = False
    status: int = 0
    answer: Any = None


@dataclass
class Customer:
    """One schedule: who it is, what is done about it, and what came of that."""

    number: int
    vip: bool
    third_party: bool
    node: str
    network: str
    acts: list[Act]
    id: str = ""
    done: list[Act] = field(default_factory=list)
    total: Decimal = Decimal(0)

    @property
    def code(self) -> str:
        return f"C-{self.number:05}"

    @property
    def login(self) -> str:
        return self.code.lower()

    def row(self) -> str:
        """The customer's line in the CRM's book (tests.flows.books)."""
        plan, price = PLANS["vip" if self.vip else "own"]
        delivery, agent = ("third_party" if self.third_party else "own"), (AGENT if self.vip else "")
        status = "CLIENTE VIP" if self.vip else "ACTIVO"
        who = f"{self.code},Cliente {self.number},{agent},2025-01-01,{self.login}@correo.example"
        return f"{who},{plan},{price},{delivery},{self.login},{self.node},{status},2026-02"

    def accepted(self, what: str) -> list[Act]:
        """What was done and answered with success."""
        return [each for each in self.done if each.what == what and 200 <= each.status < 300]

    def paid(self, *, confirmed: bool = False) -> Decimal:
        """What payments bring: those that were not rejected, or only those that were confirmed."""
        gone = {each.name for each in self.accepted("reject")}
        kept = {each.name for each in self.accepted("confirm")}
        counted = [each for each in self.accepted("pay") if each.name not in gone and (not confirmed or each.name in kept)]
        return sum((self.amount(each) for each in counted), Decimal(0))

    def settled(self) -> bool:
        """The bank has said of each payment whether it is there. (What is only reported holds its invoice for itself.)"""
        return self.paid() == self.paid(confirmed=True)

    def amount(self, act: Act) -> Decimal:
        return (self.total * act.part).quantize(Decimal("0.01"))


def customer(number: int, chance: random.Random, *, vips: float, prompt: float) -> Customer:
    """A customer and its script. So many of all are VIPs, about whom people work most; so many pay all of it long before the cut."""
    vip = chance.random() < vips
    acts = _pays(chance, prompt=chance.random() < prompt)
    if vip:
        acts += [Act(7, "notice", stubborn=True), Act(9, "suspend", stubborn=True), Act(LAST, "reconnect")]
        if chance.random() < 0.5:
            acts.append(Act(chance.randint(10, 12), "reconnect", stubborn=True))
    if chance.random() < 0.15:
        acts.append(Act(chance.randint(2, 6), "promise"))
    network = chance.choice(NETWORK) if chance.random() < 0.4 else NETWORK[0]
    acts.sort(key=lambda each: each.day)
    return Customer(number, vip, chance.random() < 0.2, chance.choice(NODES), network, acts)


def _pays(chance: random.Random, *, prompt: bool) -> list[Act]:
    """All at once, in parts, or not at all; the bank confirms, rejects, or says nothing."""
    parts = ("1",) if prompt else chance.choice(PARTS)
    acts: list[Act] = []
    day = chance.randint(0, 2 if prompt else len(DAYS) - 1)
    for number, part in enumerate(parts):
        day, name = (day if prompt or chance.random() < 0.5 else chance.randint(0, len(DAYS) - 1)), f"P{number}"
        acts.append(Act(day, "pay", Decimal(part), name))
        then = chance.choice(["confirm", "reject", "", ""])
        if then:
            acts.append(Act(chance.randint(day, len(DAYS) - 1), then, name=name))
    return acts
