"""All faults, in the order of the table."""

from tests.faults import broker, database, house, processes
from tests.faults.fault import Fault, NotHere

FAULTS: tuple[Fault, ...] = tuple(
    sorted((*processes.FAULTS, *database.FAULTS, *broker.FAULTS, *house.FAULTS), key=lambda each: int(each.number[1:]))
)
ABSENT: tuple[NotHere, ...] = ()
IN_THREE_MINUTES = ("F1", "F2", "F3", "F4", "F5", "F7", "F12", "F14")


def chosen(numbers: str | None) -> list[Fault]:
    """Those of `F1,F2`; all without it. Raises ValueError for one that is not there."""
    wanted = numbers.split(",") if numbers else [each.number for each in FAULTS]
    if unknown := set(wanted) - {each.number for each in FAULTS}:
        raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
    return [each for each in FAULTS if each.number in wanted]
