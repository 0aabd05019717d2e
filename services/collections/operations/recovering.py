"""Hand the case of a cut customer that still owes to recovery (VIP-16)."""

from services.collections.operations.changes import Changes
from services.collections.rules.debts import owed, unpaid
from services.collections.rules.facts import Facts, Suspension
from services.collections.rules.recovering import recovery_reason
from services.collections.rules.standing import in_recovery
from services.collections.rules.states import SYSTEM
from shared.db import new_id
from shared.events.collections import RecoveryRequested

HANDED = """
UPDATE suspension s SET recovery_id = t.recovery, recovery_requested_at = t.at, recovery_ended_at = NULL, known_at = t.known_at
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS t(id, recovery, at, known_at) WHERE s.id = t.id
"""


def hand_to_recovery(changes: Changes, facts: Facts, cut: Suspension) -> None:
    """Have ticketing open the procedure that the policy names. The status follows from it at once; a customer that came to us in recovery
    has it already, since then."""
    terms, now = changes.terms(facts.policy), changes.now
    recovery, debts = terms.policy.recovery, unpaid(facts, now)
    assert recovery is not None
    since = cut.recovery_requested_at if in_recovery(cut, now) else None
    event = RecoveryRequested(
        recovery_id=new_id(),
        suspension_id=cut.id,
        customer_id=facts.account_id,
        procedure=recovery.procedure,
        delivery=facts.delivery,
        rule=terms.policy.rules["recovery"],
        reason=recovery_reason(cut, facts, terms, now),
        amount=owed(debts, now),
        currency=facts.currency,
        agent=facts.agent or SYSTEM,
        requested_at=now,
        invoice_ids=[each.id for each in debts],
        imported=since is not None,
    )
    changes.insert(HANDED, cut.id, event.recovery_id, since or now, now)
    changes.tell(facts.account_id, event)
