"""Values that nobody may change, made by the thousand in every review.

# Note [Frozen by mypy alone]
Python guards a frozen dataclass by setting each field with a call: 9 µs for an invoice instead of 0.2, and a review makes dozens of values
for an account. These are frozen for mypy, which reads every line of ours, and plain where they run. What was found out from facts once
(`facts.once`) would not notice a value that was set later: `replace` makes another.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """The library's, but without Python's own guard (Note [Frozen by mypy alone])."""
        return dataclasses.dataclass(slots=slots, unsafe_hash=frozen)
