"""Grouping for set-based handling never makes a key's events change places."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from shared.events import Envelope
from shared.routing import layers
from tests.support.transport import Many, Said, Told, envelope

KINDS = [Told, Many, Said]
batches = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(KINDS)), max_size=40)


def made(batch: list[tuple[str, type[Told]]]) -> list[Envelope]:
    return [envelope(kind(who=who, number=number), "billing") for number, (who, kind) in enumerate(batch)]


@given(batches)
def test_every_event_comes_once_and_a_key_s_events_in_their_order(batch: list[tuple[str, type[Told]]]) -> None:
    envelopes = made(batch)
    flat = [each for _, group in layers(envelopes) for each in group]
    assert sorted(each.id for each in flat) == sorted(each.id for each in envelopes)
    for key in "abc":
        assert [each.id for each in flat if each.key == key] == [each.id for each in envelopes if each.key == key]


@given(batches)
def test_a_group_holds_one_type_and_neighbours_are_not_split_for_nothing(batch: list[tuple[str, type[Told]]]) -> None:
    found = layers(made(batch))
    assert all({each.type for each in group} == {kind} for kind, group in found)
    changes = [sum(a != b for a, b in itertools.pairwise(kind for who, kind in batch if who == key)) for key in "abc"]
    assert len(found) <= (max(changes) + 1) * len(KINDS)


def test_one_type_is_one_group_however_many_keys() -> None:
    assert [len(group) for _, group in layers(made([(who, Told) for who in "abcabcabc"]))] == [9]
