"""Does a policy fit what it names: procedures that switch the network as it asks, and days that follow each other?"""

from collections.abc import Iterator
from datetime import time

from shared.operator.files import Place, Wrong
from shared.operator.operator import Operator
from shared.operator.policies import AllowedFrom, Policy

# What collections waits for when it has a service switched: the ticket's action, and the outcome by which it closes then.
SUSPENDING = ("network.suspend", "suspended")
RECONNECTING = ("network.reconnect", "reconnected")
RESTRICTING = ("network.restrict", "restricted")
RELEASING = ("network.release", "released")


def switching(policy: Policy) -> Iterator[tuple[Place, str, tuple[str, str]]]:
    """The procedures of a policy that switch the network: where each is named, its code, what it must do and end with."""
    for part, chosen, does in (
        ("suspension", policy.suspension.procedure, SUSPENDING),
        ("reconnection", policy.reconnection.procedure, RECONNECTING),
    ):
        yield (part, "procedure", "own"), chosen.own, does
        yield (part, "procedure", "third_party"), chosen.third_party, does
    if policy.restriction is not None:
        yield ("restriction", "procedure"), policy.restriction.procedure, RESTRICTING
        yield ("restriction", "release_procedure"), policy.restriction.release_procedure, RELEASING


def check_switching(name: str, policy: Policy, operator: Operator, wrong: Wrong) -> None:
    """Each of those procedures has the action that it is named for, and the outcome that collections waits for."""
    for place, code, (action, outcome) in switching(policy):
        procedure = operator.procedures.get(code)
        if procedure is None:
            continue
        if action not in {step.action for step in procedure.steps}:
            wrong(name, place, f"«{code}» no tiene ningún paso con `action: {action}`")
        elif outcome not in procedure.outcomes:
            wrong(name, place, f"«{code}» no tiene el resultado `{outcome}`")


def check_restriction(name: str, policy: Policy, operator: Operator, wrong: Wrong) -> None:
    """It comes after the last day in time and before the cut. Where the days cannot be compared the run sees to it: nobody is restricted
    from the hour on from which a cut is allowed."""
    if policy.restriction is None:
        return
    begins, due = policy.restriction.allowed_from, policy.due.day_of_month
    place: Place = ("restriction", "allowed_from", "day_of_month" if begins.day_of_month is not None else "days_after_due")
    if begins.days_after_due == 0 and begins.at != "end_of_day":
        wrong(name, place, "se restringiría el día del vencimiento, antes de que termine")
    elif due is not None and begins.day_of_month is not None and begins.day_of_month < due:
        wrong(name, place, f"se restringiría el día {begins.day_of_month}, antes de que venza el día {due}")
    cut = policy.suspension.allowed_from
    comparable = due is not None or (begins.day_of_month is None) == (cut.day_of_month is None)
    if comparable and _counted(begins, due) >= _counted(cut, due):
        wrong(name, place, "se restringiría cuando ya se puede suspender: tiene que ser antes de `suspension.allowed_from`")
    procedure = operator.procedures.get(policy.restriction.procedure)
    if procedure is not None and procedure.cancel is None:
        wrong(name, ("restriction", "procedure"), f"«{procedure.code}» no tiene `cancel`: quien paga a tiempo quedaría restringido")


def _counted(allowed: AllowedFrom, due: int | None) -> tuple[int, time]:
    """When something is allowed, so that two instants of one policy can be compared: days since the due day, or days of the month where
    that is not fixed, and the hour."""
    days = allowed.days_after_due if allowed.days_after_due is not None else (allowed.day_of_month or 0) - (due or 0)
    return days, time.max if allowed.at == "end_of_day" else allowed.at
