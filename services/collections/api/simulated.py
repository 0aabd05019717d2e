"""A simulation, its steps and its difference from what was done, as the API shows them."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from services.collections.api.views import MoneyView, RuleView, money_view, quote
from services.collections.models import CutSimulation
from services.collections.queries.simulations import Difference, ListedStep
from services.collections.rules.differences import Why
from services.collections.rules.mails import mails_of
from services.collections.rules.states import SimulationState, StepKind
from services.collections.rules.wording import day as day_words
from services.collections.rules.wording import moment, who
from shared.operator import Notice, Operator
from shared.web import Page

NOTHING_ELSE = (
    "Si no pasa nada más: ni pagos, ni acuerdos, ni fallas; los correos aceptan los avisos y la red hace los cambios en el momento. "
    "De lo que decide una persona se muestra desde cuándo puede."
)


class TotalView(BaseModel):
    """The steps of one kind under one policy: how many customers, what they owe, and what they pay a month."""

    policy: str
    kind: StepKind
    steps: int
    customers: int
    owed: MoneyView
    monthly: MoneyView


class SimulationView(BaseModel):
    """A simulation: `progress` is the part of the accounts looked at, `totals` come when it is DONE."""

    id: UUID
    day: date
    day_text: str
    policy: str | None
    state: SimulationState
    progress: float
    looked_at: int
    to_look_at: int
    asked_by: str
    asked_at: AwareDatetime
    finished_at: AwareDatetime | None
    approved_by: str | None
    approved_at: AwareDatetime | None
    assumes: str
    totals: list[TotalView]


class MailView(BaseModel):
    """A mail that would go out, and to whom."""

    notice: str
    name: str
    to: list[str]


class HeldBy(BaseModel):
    """The hold that keeps the step off."""

    hold_id: UUID
    reason: str
    owner: str
    owner_name: str
    until: AwareDatetime


class StepShown(BaseModel):
    """What would happen to a customer, at what hour, by which rule, for how much, with which mails. `monthly_amount` is what it pays a
    month for what would be cut."""

    customer_id: UUID
    name: str
    kind: StepKind
    at: AwareDatetime
    local: str
    policy: str
    agent: str | None
    agent_name: str
    rule: RuleView
    reason: str
    amount: MoneyView
    monthly_amount: MoneyView
    mails: list[MailView]
    hold: HeldBy | None


class ApprovalView(BaseModel):
    """How many cuts of the day were approved now."""

    simulation_id: UUID
    day: date
    approved: int
    approved_by: str
    approved_at: AwareDatetime


class DifferenceView(BaseModel):
    """A customer who was shown and not done (`why`), done as shown, or done without having been shown."""

    customer_id: UUID
    name: str
    at: AwareDatetime
    amount: MoneyView
    done_at: AwareDatetime | None
    why: Why | None
    reason: str | None
    rule: RuleView | None


class DifferencePage(Page[DifferenceView]):
    """A page of the difference, and the whole in figures: how many were shown, how many of them done, and what the others owe."""

    shown: int
    done: int
    missed_amount: MoneyView


def show_simulation(found: CutSimulation, documents: Operator) -> SimulationView:
    """A simulation for the API."""
    done = found.state == SimulationState.DONE
    progress = 1.0 if done else min(found.looked_at / found.to_look_at, 0.99) if found.to_look_at else 0.0
    return SimulationView(
        day_text=day_words(documents, found.day),
        progress=round(progress, 2),
        assumes=NOTHING_ELSE,
        totals=[
            TotalView(
                owed=money_view(documents, Decimal(each["owed"]), each["currency"]),
                monthly=money_view(documents, Decimal(each["monthly"]), each["currency"]),
                **{name: each[name] for name in ("policy", "kind", "steps", "customers")},
            )
            for each in found.totals
        ],
        **found.model_dump(exclude={"totals", "reached"}),
    )


def show_step(view: ListedStep, documents: Operator) -> StepShown:
    """A step for the API."""
    step = view.step
    policy = documents.policy(step.policy)
    mails = mails_of(documents, policy, StepKind(step.kind), delivery=step.delivery, reminder=step.reminder)
    return StepShown(
        customer_id=step.account_id,
        name=view.name,
        kind=StepKind(step.kind),
        at=step.at,
        local=moment(documents, step.at),
        policy=policy.code,
        agent=step.agent,
        agent_name=who(documents, step.agent),
        rule=quote(documents, step.rule),
        reason=step.reason,
        amount=money_view(documents, -step.weight, step.currency),
        monthly_amount=money_view(documents, step.monthly_amount, step.currency),
        mails=[MailView(notice=each.code, name=each.name, to=_receivers(each, view, documents)) for each in mails],
        hold=_hold(view, documents),
    )


def _receivers(notice: Notice, view: ListedStep, documents: Operator) -> list[str]:
    """The desks, or the customer's contacts that have an address."""
    if not notice.to.customer:
        return documents.desk_names(notice.to.desks)
    wanted = [each for each in view.contacts if each.get("email") and (not notice.to.roles or each.get("role") in notice.to.roles)]
    return [f"{each['name']} <{each['email']}>" for each in wanted or view.contacts if each.get("email")]


def _hold(view: ListedStep, documents: Operator) -> HeldBy | None:
    if view.hold is None:
        return None
    hold = view.hold
    return HeldBy(hold_id=hold.id, reason=hold.reason, owner=hold.owner, owner_name=who(documents, hold.owner), until=hold.until)


def show_difference(found: Difference, documents: Operator) -> DifferenceView:
    """A difference for the API."""
    return DifferenceView(
        customer_id=found.customer_id,
        name=found.name,
        at=found.at,
        amount=money_view(documents, found.amount, found.currency),
        done_at=found.done_at,
        why=found.why.why if found.why else None,
        reason=found.why.text if found.why else None,
        rule=quote(documents, found.why.rule) if found.why else None,
    )
