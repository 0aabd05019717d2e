"""Customers divided among agents: nobody has more than an equal share, nobody changes hands needlessly, zones are kept."""

from collections import Counter
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.collections.rules.distributing import Balance, Load, Portion, distribute

AGENTS = ["ana", "carlos", "lucia"]
portions = st.lists(
    st.tuples(st.sampled_from([*AGENTS, None, "otra"]), st.integers(1, 1000), st.sampled_from(["SPS-1", "TGU-1", "CEI-1"])), max_size=40
).map(lambda found: [Portion(UUID(int=at + 1), agent, Decimal(amount), (node,)) for at, (agent, amount, node) in enumerate(found)])
besides = st.dictionaries(st.sampled_from(AGENTS), st.builds(Load, st.integers(0, 10), st.integers(0, 3000).map(Decimal)))


@given(portions)
def test_by_number_nobody_has_two_more_than_another(customers: list[Portion]) -> None:
    chosen = distribute(customers, AGENTS, {}, "count", {})
    counts = Counter(chosen.values())
    found = [counts[agent] for agent in AGENTS]
    assert set(chosen) == {each.account_id for each in customers}
    assert max(found) - min(found) <= 1


@given(portions, besides)
def test_by_amount_nobody_is_above_the_share_by_more_than_one_customer(customers: list[Portion], has: dict[str, Load]) -> None:
    """Who had more than the share already gets nothing."""
    chosen = distribute(customers, AGENTS, has, "amount", {})
    amounts = {agent: has.get(agent, Load()).amount for agent in AGENTS}
    total = sum(amounts.values(), Decimal(0)) + sum((each.amount for each in customers), Decimal(0))
    largest = max((each.amount for each in customers), default=Decimal(0))
    for each in customers:
        amounts[chosen[each.account_id]] += each.amount
    for agent in AGENTS:
        assert amounts[agent] <= max(total / len(AGENTS) + largest, has.get(agent, Load()).amount)


@given(portions, st.sampled_from(["count", "amount"]))
def test_what_is_balanced_already_stays(customers: list[Portion], balance: Balance) -> None:
    once = distribute(customers, AGENTS, {}, "count", {})
    again = [Portion(each.account_id, once[each.account_id], each.amount, each.nodes) for each in customers]
    if len(customers) % len(AGENTS) == 0:
        assert distribute(again, AGENTS, {}, "count", {}) == once
    kept = distribute(again, ["ana"], {}, balance, {})
    assert set(kept.values()) <= {"ana"}


@given(portions)
def test_a_customer_goes_to_whom_works_its_zone(customers: list[Portion]) -> None:
    chosen = distribute(customers, AGENTS, {}, "count", {"ana": ["SPS-"], "carlos": ["TGU-"]})
    wanted = {"SPS-1": "ana", "TGU-1": "carlos", "CEI-1": "lucia"}  # lucia works everywhere, and so also where nobody does
    assert all(chosen[each.account_id] == wanted[each.nodes[0]] for each in customers)
