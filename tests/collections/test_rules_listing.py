"""The rows of a list of Sales, judged by a pure rule."""

from dataclasses import dataclass
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.collections.rules.listing import RowOutcome, Wanted, judge_rows
from tests.support.rules import rule
from tests.support.service import operator


@dataclass(frozen=True)
class Known:
    id: UUID
    external_source: str
    policy: str


ROWS = st.lists(
    st.builds(Wanted, st.sampled_from(["A", "B", "C", "X", ""]), st.sampled_from(["", "nota"]), st.sampled_from([None, "crm", "otro"])),
    max_size=12,
)
ACCOUNTS = {
    "A": [Known(UUID(int=1), "crm", "residencial")],
    "B": [Known(UUID(int=2), "crm", "vip")],
    "C": [Known(UUID(int=3), "crm", "residencial"), Known(UUID(int=4), "otro", "residencial")],
}


@rule("VIP-2")
@given(ROWS)
def test_every_row_has_an_outcome_and_a_reason_and_nobody_is_moved_twice(rows: list[Wanted]) -> None:
    judged = judge_rows(rows, ACCOUNTS, operator())
    assert [(each.line, each.wanted) for each in judged] == list(enumerate(rows, start=1))
    assert all(each.reason for each in judged)
    moved = [each.customer_id for each in judged if each.outcome is RowOutcome.APPLIED]
    assert len(moved) == len(set(moved))
    assert None not in moved
    assert UUID(int=2) not in moved
    assert all(each.wanted.note for each in judged if each.outcome is not RowOutcome.FAULTY)


@rule("VIP-2")
@given(ROWS, ROWS)
def test_a_bad_row_never_keeps_a_good_one_from_being_applied(before: list[Wanted], after: list[Wanted]) -> None:
    good = Wanted("A", "Plan Dedicado.")
    others = [each for each in (*before, *after) if each.external_id != "A"]
    judged = judge_rows([*others, good], ACCOUNTS, operator())
    assert judged[-1].outcome is RowOutcome.APPLIED
