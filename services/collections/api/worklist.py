"""Whom to call today, in which order and why."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel

from services.collections.api.access import agents_shown
from services.collections.api.details import show_hold
from services.collections.api.shapes import HoldNote
from services.collections.api.views import MoneyView, RuleView, StatusView, money_view, quote
from services.collections.queries.worklist import WORKLIST, WorkItem, worklist
from services.collections.rules.explaining import LABELS
from services.collections.rules.obstacles import covering_agents
from services.collections.rules.verdicts import Verdict
from services.collections.rules.wording import who
from services.collections.rules.worklist import Reason, Task
from shared.operator import Operator
from shared.web import Actor, Documents, Now, Order, Page, Session, command_router, page, sorted_by
from shared.web.columns import NOT_IN_FILES

router = command_router(tags=["lista de trabajo"])


class TaskView(BaseModel):
    """One reason to turn to the customer, and the command (or call) that takes it off the list."""

    reason: Reason
    text: str
    rule: RuleView
    next_action: Annotated[str, NOT_IN_FILES]


class LatestContactView(BaseModel):
    """The last contact with the customer."""

    kind: str
    channel: str
    agent: str
    said: str
    contacted_at: AwareDatetime


class StepView(BaseModel):
    """The next step of the ladder: whether it is allowed now, or from when on by time alone (`allowed_from`), and what is in its way."""

    action: Annotated[str, NOT_IN_FILES]
    label: str
    allowed: bool
    allowed_from: AwareDatetime | None
    by: str
    reason: str
    rule: RuleView


class WorkItemView(BaseModel):
    """A customer of the list. `days_overdue` counts from the oldest due date; `reasons` are the most urgent first. `done_today`: somebody
    spoke with the customer today, after all of that had come up."""

    customer_id: UUID
    name: str
    policy: str
    agent: str | None
    agent_name: str
    covered_by: list[str]
    status: StatusView
    owed: MoneyView
    overdue: MoneyView
    days_overdue: int
    done_today: bool
    reasons: list[TaskView]
    next_step: StepView
    holds: list[HoldNote]
    last_contact: LatestContactView | None


class WorklistPage(Page[WorkItemView]):
    """A page of the list; `total` counts the customers of the whole list; 10,000 means that many or more."""

    total: int


@router.get("/worklist")
async def get_worklist(
    session: Session,
    order: Annotated[Order, sorted_by(WORKLIST)],
    now: Now,
    actor: Actor,
    documents: Documents,
    agent: Annotated[str | None, Query(max_length=60, description="gestor; fuera de la gerencia, usted o a quien cubre")] = None,
    reason: Annotated[Reason | None, Query(description="solo clientes con este motivo como el más urgente")] = None,
) -> WorklistPage:
    """Whom to call now, in which order and why: an agent's own list and those that it covers, for managers everybody's or that of one agent
    (VIP-4, VIP-8). What is done for today stands last; recording a contact does it."""
    shown = await agents_shown(session, actor, documents, agent, now)
    found = await worklist(session, documents, order, agents=shown, reason=reason, now=now)
    made = page(found.items, order, show=lambda each: _show(each, documents, now))
    return WorklistPage(items=made.items, next=made.next, total=found.total)


def _show(item: WorkItem, documents: Operator, now: Now) -> WorkItemView:
    facts = item.facts
    return WorkItemView(
        customer_id=facts.account_id,
        name=facts.name,
        policy=facts.policy,
        agent=facts.agent,
        agent_name=who(documents, facts.agent),
        covered_by=covering_agents(facts, now),
        status=StatusView(code=facts.status, label=item.label),
        owed=money_view(documents, item.debt.owed, facts.currency),
        overdue=money_view(documents, item.debt.overdue, facts.currency),
        days_overdue=item.debt.days,
        done_today=item.done,
        reasons=[_task(each, documents) for each in item.tasks],
        next_step=_step(item.step, documents),
        holds=[show_hold(each) for each in item.holds],
        last_contact=LatestContactView(**vars(item.contact)) if item.contact else None,
    )


def _task(task: Task, documents: Operator) -> TaskView:
    return TaskView(reason=task.reason, text=task.text, rule=quote(documents, task.rule), next_action=task.action)


def _step(step: Verdict, documents: Operator) -> StepView:
    return StepView(
        action=step.action,
        label=LABELS[step.action],
        allowed=step.allowed,
        allowed_from=step.allowed_from,
        by=step.by,
        reason=step.reason,
        rule=quote(documents, step.rule),
    )
