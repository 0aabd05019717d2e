"""Values that nobody may change, made by the thousand in every review."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """The library's, but that mypy alone sees to it that nobody changes a frozen one: where Python does, each field is set by a call,
        and an invoice takes 9 µs to make instead of 0.2."""
        return dataclasses.dataclass(slots=slots, unsafe_hash=frozen)
