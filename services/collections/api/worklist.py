"""Whom to call today, in which order and why."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field

from services.collections.api.access import agent_shown
from services.collections.api.views import MoneyView, RuleView, StatusView, money_view, quote
from services.collections.queries.worklist import WorkItem, worklist
from services.collections.rules.wording import who
from services.collections.rules.worklist import Reason, Task
from shared.operator import Operator
from shared.web import Actor, Cursor, Documents, Now, Page, Session, command_router, page

router = command_router(tags=["lista de trabajo"])


class TaskView(BaseModel):
    """One reason to turn to the customer, and the command (or call) that takes it off the list."""

    reason: Reason
    text: str
    rule: RuleView
    next_action: str


class LatestContactView(BaseModel):
    """The last contact with the customer."""

    kind: str
    channel: str
    agent: str
    said: str
    contacted_at: AwareDatetime


class WorkItemView(BaseModel):
    """A customer of the list. `days_overdue` counts from the oldest due date; `reasons` are the most urgent first."""

    customer_id: UUID
    name: str
    agent: str | None
    agent_name: str
    status: StatusView
    owed: MoneyView
    overdue: MoneyView
    days_overdue: int
    reasons: list[TaskView]
    last_contact: LatestContactView | None


class WorklistPage(Page[WorkItemView]):
    """A page of the list; `total` counts the customers of the whole list; 10,000 means that many or more."""

    total: int


@router.get("/worklist")
async def get_worklist(
    session: Session,
    cursor: Cursor,
    now: Now,
    actor: Actor,
    documents: Documents,
    agent: Annotated[str | None, Query(max_length=60, description="gestor; solo la gerencia puede pedir el de otro")] = None,
) -> WorklistPage:
    """Whom to call now: an agent's own list, for managers everybody's or that of one agent (VIP-4, VIP-8)."""
    shown = agent_shown(actor, documents, agent)
    after = cursor.after(Annotated[int, Field(ge=-(2**15), lt=2**15)], Decimal, UUID)  # urgency is a small number
    found = await worklist(session, documents, agent=shown, now=now, after=after, limit=cursor.limit + 1)
    made = page(found.items, cursor, key=lambda each: each.place, show=lambda each: _show(each, documents))
    return WorklistPage(items=made.items, next=made.next, total=found.total)


def _show(item: WorkItem, documents: Operator) -> WorkItemView:
    facts = item.facts
    return WorkItemView(
        customer_id=facts.account_id,
        name=facts.name,
        agent=facts.agent,
        agent_name=who(documents, facts.agent),
        status=StatusView(code=facts.status, label=item.label),
        owed=money_view(documents, item.debt.owed, facts.currency),
        overdue=money_view(documents, item.debt.overdue, facts.currency),
        days_overdue=item.debt.days,
        reasons=[_task(each, documents) for each in item.tasks],
        last_contact=LatestContactView(**vars(item.contact)) if item.contact else None,
    )


def _task(task: Task, documents: Operator) -> TaskView:
    return TaskView(reason=task.reason, text=task.text, rule=quote(documents, task.rule), next_action=task.action)
