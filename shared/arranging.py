"""Short lists that are in memory, in the order that somebody asks for: `shared.sorting` does the same in the database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from shared.sorting import Placed, both_ways

T = TypeVar("T")


class Arranging:
    """How a short list that is in memory may be sorted: its items' fields, as they are or by what a function makes of the item."""

    def __init__(self, *fields: str, **by: Callable[[Any], Any]) -> None:
        self.fields: dict[str, Callable[[Any], Any]] = {each: partial(_plain, name=each) for each in fields} | by

    @property
    def names(self) -> list[str]:
        """All that may be asked for."""
        return both_ways(self.fields)

    def arrange(self, items: Sequence[T], sort: str | None) -> list[T]:
        """The items in an order that `names` has, or as they are; what has no value stands last both ways."""
        if sort is None:
            return list(items)
        value = self.fields[sort.removeprefix("-")]
        with_value = [each for each in items if value(each) is not None]
        return sorted(with_value, key=value, reverse=sort.startswith("-")) + [each for each in items if value(each) is None]


@dataclass(frozen=True)
class Arrangement:
    """What was asked of such a list: its order, how many items, and how many come before them."""

    arranging: Arranging
    sort: str | None
    limit: int
    skipped: int

    def page(self, items: Sequence[T]) -> list[Placed[T]]:
        """The page, and one item more when others follow."""
        arranged = self.arranging.arrange(items, self.sort)[self.skipped : self.skipped + self.limit + 1]
        return [Placed(each, (self.skipped + at + 1,)) for at, each in enumerate(arranged)]


def _plain(item: Any, name: str) -> Any:
    """The field's value; of money its amount."""
    value = getattr(item, name)
    return getattr(value, "amount", value)
