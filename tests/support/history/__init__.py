"""The judge of a recorded history: what people asked for and were answered, against what there is afterwards, everywhere.

Whoever makes the load (a story, a simulation, ten processes over HTTP, somebody else's client) does three things and is judged:

    async with witnessed(databases):            # PostgreSQL itself writes down what is committed, in the transaction that does it
        history.listen(client)                  # once per httpx client: commands, and acknowledged, refused or unknown
        …                                       # the load; afterwards let everything settle
        evidence = await gather(databases, operator=operator, now=now, maildir=maildir)
    found = violations(history, evidence)       # empty: I1 to I6 hold

I1 every acknowledged command has exactly one effect everywhere; I2 no effect without a committed command; I3 order per aggregate, versions
+1; I4 ledgers and balances add up, and every mirror shows what was told; I5 invoice numbers gapless, every event exactly once with each of
its subscribers; I6 nothing is left under way. A command whose outcome is unknown may have one effect or none, a refused one has none.

`history.save(folder)`, `evidence.save(folder)` keep both as files; `python -m tests.support.history` judges them, and whatever runs.
"""

from tests.support.history.checker import Violation, violations
from tests.support.history.commands import Attempt, History, Outcome
from tests.support.history.evidence import Evidence, gather
from tests.support.history.witness import watching, witnessed

__all__ = ["Attempt", "Evidence", "History", "Outcome", "Violation", "gather", "violations", "watching", "witnessed"]
