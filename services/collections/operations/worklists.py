"""Where accounts stand in the worklist, written by every review so that a page of it can be read without thinking about all accounts."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from services.collections.rules.facts import Facts
from services.collections.rules.worklist import Place
from shared.bulk import Sql

LIST = """
INSERT INTO worklist AS w (account_id, agent, urgency, weight, overdue_since)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::numeric[], $5::date[])
ON CONFLICT (account_id) DO UPDATE
SET agent = excluded.agent, urgency = excluded.urgency, weight = excluded.weight, overdue_since = excluded.overdue_since
WHERE (w.agent, w.urgency, w.weight, w.overdue_since)
    IS DISTINCT FROM (excluded.agent, excluded.urgency, excluded.weight, excluded.overdue_since)
"""
LEAVE_ALONE = "DELETE FROM worklist WHERE account_id = ANY($1::uuid[])"


@dataclass
class Listing:
    """What the reviews of many accounts say of the worklist, gathered to be written together."""

    listed: list[tuple[UUID, str | None, int, Decimal, date | None]] = field(default_factory=list)
    left_alone: list[UUID] = field(default_factory=list)

    def note(self, facts: Facts, place: Place | None) -> None:
        """The account stands here, or (None) not in the list."""
        if place is None:
            self.left_alone.append(facts.account_id)
        else:
            self.listed.append((facts.account_id, facts.agent, *place))

    def parts(self) -> list[Sql]:
        """What writes them, a part for each kind, however many accounts there are."""
        return [Sql(LIST, self.listed), Sql(LEAVE_ALONE, [(each,) for each in self.left_alone])]
