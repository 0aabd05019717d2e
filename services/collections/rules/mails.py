"""Which mails follow from what the policy does, by the operator's own notices: for those who want to see it before it is done. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.collections.rules.states import StepKind
from shared.events.collections import ReminderRequested, RestrictionRequested, StatusChanged, SuspensionNoticeRequested, SuspensionRequested
from shared.events.ticketing import ServiceRestricted, ServiceSuspended, TicketClosed, TicketOpened
from shared.operator import Notice, Operator, Policy
from shared.operator.conditions import all_hold

Told = tuple[str, Mapping[str, Any]]  # an event's type, and what is known of it before it is told


def mails_of(operator: Operator, policy: Policy, kind: StepKind, *, delivery: str, reminder: str | None) -> list[Notice]:
    """The notices that would go out when a step is done; a step that a hold keeps off sends none."""
    told = list(_told(operator, policy, kind, delivery, reminder))
    return [each for each in operator.notices.values() for name, facts in told if each.on == name and all_hold(each.when, facts)]


def _told(operator: Operator, policy: Policy, kind: StepKind, delivery: str, reminder: str | None) -> Iterator[Told]:
    """What would be told: of a cut also what its ticket tells, from its opening to its end."""
    if kind is StepKind.REMIND:
        yield ReminderRequested.TYPE, {"reminder": reminder}
    elif kind in (StepKind.NOTICE, StepKind.NOTICE_POSSIBLE) and policy.suspension.notice is not None:
        yield SuspensionNoticeRequested.TYPE, {"notice": policy.suspension.notice.name}
    elif kind is StepKind.RESTRICT and policy.restriction is not None:
        procedure = policy.restriction.procedure
        ticket = {"procedure": procedure, "kind": operator.procedure(procedure).kind}
        yield RestrictionRequested.TYPE, {"procedure": procedure, "rule": policy.rules["restriction"]}
        yield TicketOpened.TYPE, ticket
        yield ServiceRestricted.TYPE, {}
        yield TicketClosed.TYPE, {**ticket, "outcome": "restricted"}
        yield StatusChanged.TYPE, {"code": "restricted", "label": policy.statuses["restricted"]}
    elif kind in (StepKind.CUT, StepKind.CUT_POSSIBLE):
        procedure = getattr(policy.suspension.procedure, delivery)
        ticket = {"procedure": procedure, "kind": operator.procedure(procedure).kind}
        yield SuspensionRequested.TYPE, {"procedure": procedure, "delivery": delivery, "rule": policy.rules["day"]}
        yield TicketOpened.TYPE, ticket
        yield ServiceSuspended.TYPE, {}
        yield TicketClosed.TYPE, {**ticket, "outcome": "suspended"}
        yield StatusChanged.TYPE, {"code": "suspended", "label": policy.statuses["suspended"]}
