"""The state in which a customer came to us: its source's word for it, read as a policy and a status of ours."""

from shared.operator import Operator


def opening_of(operator: Operator, label: str | None, *, qualifies: bool) -> tuple[str, str]:
    """The policy and the status code that a label means; the default policy's active status when nobody knows it.

    A label that several policies have means the segment's policy for a customer who qualifies for it, else the default one (our choice).
    """
    found, segment = operator.statuses_named(label), operator.qualification.policy
    policy = segment if qualifies and segment in found else operator.policy_named(label)
    return policy, found.get(policy, "active")
