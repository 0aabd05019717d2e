"""Which of an operator's rules a test proves: `@rule("VIP-12")` on a test, several ids where it proves several."""

import pytest


def rule(*ids: str) -> pytest.MarkDecorator:
    """Mark a test as a proof of these rules. `make rules` fails for a rule marked as built that no test carries."""
    if not ids:
        raise ValueError("name at least one rule")
    return pytest.mark.rule(*ids)
