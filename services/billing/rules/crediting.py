"""How a credit note's amount is divided over what it takes back: by tax, largest remainder, so that base and tax stay exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from shared.money import allocate


@dataclass(frozen=True)
class Part:
    """What an invoice has of one service and one tax, or what a note takes back of it; before tax, and the tax."""

    service_id: UUID | None
    description: str
    tax_code: str
    tax_rate: Decimal
    base: Decimal
    tax: Decimal

    @property
    def total(self) -> Decimal:
        return self.base + self.tax


def divide(amount: Decimal, left: Sequence[Part], digits: int) -> list[Part]:
    """`amount` (with tax, at most what is left) over the parts, each in proportion to what is left of it. Parts of nothing are left out.

    No part gets more than it has: the exact share is at most that, and is rounded up only when it is less.
    """
    open_parts = [each for each in left if each.total > 0]
    shares = allocate(amount, [each.total for each in open_parts], digits)
    found = []
    for part, share in zip(open_parts, shares, strict=True):
        base, tax = allocate(share, [part.base, part.tax], digits)
        found.append(Part(part.service_id, part.description, part.tax_code, part.tax_rate, base, tax))
    return [each for each in found if each.total > 0]
