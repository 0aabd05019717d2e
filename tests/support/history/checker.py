"""The judge: every part of it looks at one kind of evidence."""

from tests.support.history import commanded, delivered, mirrored, outside, standing, told
from tests.support.history.commands import History
from tests.support.history.evidence import Evidence
from tests.support.history.verdict import Violation

__all__ = ["Violation", "violations"]


def violations(history: History | None, evidence: Evidence) -> list[Violation]:
    """Everything that breaks I1 to I6. Without a history only what the evidence says of itself is judged."""
    return [
        *(commanded.judge(history, evidence) if history is not None else []),
        *told.judge(evidence),
        *delivered.judge(evidence),
        *mirrored.judge(evidence),
        *outside.judge(evidence),
        *standing.judge(evidence),
    ]
