"""The state in which a customer came to us: its source's word for it, read as a policy and a status of ours."""

import unicodedata

from shared.operator import Operator


def opening_of(operator: Operator, label: str | None, *, qualifies: bool) -> tuple[str, str]:
    """The policy and the status code that a label means; the default policy's active status when nobody knows it.

    A label that several policies have means the segment's policy for a customer who qualifies for it, else the default one (our choice).
    """
    wanted = _plain(label or "")
    found = {policy.code: code for policy in operator.policies.values() for code, name in policy.statuses.items() if _plain(name) == wanted}
    if not found:
        return operator.default_policy, "active"
    if len(found) == 1:
        return next(iter(found.items()))
    segment = operator.qualification.policy
    first = segment if qualifies and segment in found else operator.default_policy
    policy = first if first in found else min(found)
    return policy, found[policy]


def _plain(text: str) -> str:
    """Without accents, case and superfluous blanks."""
    plain = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).casefold().split())
