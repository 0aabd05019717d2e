"""Dividing customers among agents by a rule: balanced by their number or by what they pay, each zone to the agents who work it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

Balance = Literal["count", "amount"]
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Load:
    """What an agent has: how many customers, and what they pay a month."""

    count: int = 0
    amount: Decimal = ZERO

    def plus(self, amount: Decimal) -> "Load":
        """With one customer more."""
        return Load(self.count + 1, self.amount + amount)

    def by(self, balance: Balance) -> Decimal:
        """What is to be balanced."""
        return Decimal(self.count) if balance == "count" else self.amount


@dataclass(frozen=True, slots=True)
class Portion:
    """A customer to be given to somebody: whose it is, what it pays a month, and the access nodes that it hangs on."""

    account_id: UUID
    agent: str | None
    amount: Decimal
    nodes: tuple[str, ...] = ()


def distribute(
    customers: Sequence[Portion], agents: Sequence[str], besides: Mapping[str, Load], balance: Balance, zones: Mapping[str, Sequence[str]]
) -> dict[UUID, str]:
    """Whose each customer is to be. Nobody changes hands needlessly: who has no more than an equal share keeps its own. The others, the
    larger ones first, go each to whom has least; of several to the one that is named first.

    `besides` is what the agents have and keep. `zones` are the beginnings of the access nodes that an agent works; whoever has none works
    everywhere, and a customer in a zone that nobody works goes to anybody.
    """
    has = {agent: besides.get(agent, Load()) for agent in agents}
    share = (sum((each.by(balance) for each in has.values()), ZERO) + _size(customers, balance)) / len(agents)
    found: dict[UUID, str] = {}
    ordered = sorted(customers, key=lambda each: (-each.amount, each.account_id))
    for each in ordered:
        if each.agent in has and each.agent in _able(each, agents, zones) and has[each.agent].plus(each.amount).by(balance) <= share:
            found[each.account_id], has[each.agent] = each.agent, has[each.agent].plus(each.amount)
    for each in ordered:
        if each.account_id not in found:
            chosen = min(_able(each, agents, zones), key=lambda agent: has[agent].by(balance))
            found[each.account_id], has[chosen] = chosen, has[chosen].plus(each.amount)
    return found


def _size(customers: Sequence[Portion], balance: Balance) -> Decimal:
    return Decimal(len(customers)) if balance == "count" else sum((each.amount for each in customers), ZERO)


def _able(customer: Portion, agents: Sequence[str], zones: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Who works where the customer is, in the order in which they are named."""
    if not zones:
        return agents
    local = [each for each in agents if any(node.startswith(tuple(zones.get(each, ()))) for node in customer.nodes)]
    return local or [each for each in agents if not zones.get(each)] or agents
