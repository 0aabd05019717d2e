"""All faults, in the order of the table."""

from collections.abc import Iterable

from tests.faults import broker, database, house, moves, network, processes
from tests.faults.fault import Fault, NotHere

IN_THREE_MINUTES = ("F1", "F2", "F3", "F4", "F5", "F7", "F12", "F14")
LESS = (
    NotHere(
        "F8",
        "Kafka's error codes and its coordinator's moves",
        "a real broker alone can only be away; a mock cluster gives these in `tests/faults/test_error_codes.py`",
    ),
    NotHere("F11", "machine clocks that step", "leases ask PostgreSQL's clock, and every process and the server share this machine's one"),
    NotHere("F13", "ten minutes of an open transaction", "it stays open until the lag is zero, which does not take minutes"),
    NotHere("F18", "an hour's soak", "three minutes of load without faults, whose slopes are told"),
)
ALWAYS = (*processes.FAULTS, *database.FAULTS, *broker.FAULTS, *network.FAULTS, *house.FAULTS, *moves.FAULTS)


def faults(*, broker_of_its_own: bool, small_disk: bool) -> tuple[list[Fault], list[NotHere]]:
    """What can be injected on this machine and this stage, and what cannot."""
    here: list[Fault] = list(ALWAYS)
    absent = list(LESS)
    if broker_of_its_own:
        here.append(broker.AWAY)
    for can, fault, reason in ((small_disk, moves.FULL, moves.NO_DISK), (moves.has_old_code(), moves.OLD, moves.NO_OLD)):
        if can:
            here.append(fault)
        else:
            absent.append(reason)
    return sorted(here, key=lambda each: int(each.number[1:])), absent


def chosen(known: Iterable[Fault], numbers: str) -> list[Fault]:
    """Those of `F1,F2`; all for an empty text. Raises ValueError for one that is not there."""
    by_number = {each.number: each for each in known}
    if unknown := [each for each in numbers.split(",") if each and each not in by_number]:
        raise ValueError(f"no such fault here: {', '.join(unknown)}")
    return [by_number[each] for each in numbers.split(",")] if numbers else list(by_number.values())
