"""Accounts: the list, one account as an agent wants to see it, why it is so, and whether it qualifies."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel

from services.collections.api.access import READ, agent_listed
from services.collections.api.details import show_account, show_explanation
from services.collections.api.shapes import AccountDetails, ExplanationView
from services.collections.api.views import MoneyView, RuleView, StatusView, money_view, quote
from services.collections.models import Account
from services.collections.queries import accounts, segments
from services.collections.queries.facts import load_facts
from services.collections.rules.debts import overdue, owed
from services.collections.rules.explaining import Explanation, explain
from services.collections.rules.facts import Facts
from services.collections.rules.qualification import findings
from services.collections.rules.terms import Book
from services.collections.rules.wording import dated, who
from shared.calendar import BusinessCalendar
from shared.errors import FieldError, Invalid
from shared.operator import Operator
from shared.operator.policies import StatusCode
from shared.web import Actor, Documents, Now, Order, Page, Session, command_router, page, permits, runtime_of, set_etag, sorted_by

router = command_router(tags=["clientes"])
Text60 = Annotated[str | None, Query(max_length=60)]


class AccountItem(BaseModel):
    """A customer of the list."""

    customer_id: UUID
    external_source: str
    external_id: str
    name: str
    policy: str
    policy_name: str
    status: StatusView
    agent: str | None
    agent_name: str
    owed: MoneyView
    overdue: MoneyView


class FindingView(BaseModel):
    """One criterion held against the customer, and the fact that decides it."""

    code: str
    text: str
    holds: bool
    fact: str


class QualificationView(BaseModel):
    """Whether the customer belongs to the segment by the operator's criteria, and whether it is in it."""

    customer_id: UUID
    policy: str
    policy_name: str
    rule: RuleView
    qualifies: bool
    in_segment: bool
    note: str | None
    criteria: list[FindingView]


@router.get("/customers")
async def list_customers(
    session: Session,
    order: Annotated[Order, sorted_by(accounts.ACCOUNTS)],
    now: Now,
    actor: Actor,
    documents: Documents,
    agent: Annotated[str | None, Query(max_length=60, description="gestor; solo la gerencia puede pedir el de otro")] = None,
    status: Annotated[StatusCode | None, Query(description="código del estado")] = None,
    policy: Text60 = None,
    q: Annotated[str | None, Query(max_length=100, description="cómo empieza el nombre, con o sin acentos")] = None,
    external_id: Annotated[str | None, Query(max_length=200, description="código en su sistema de origen")] = None,
    unassigned: Annotated[bool, Query(description="solo clientes sin gestor")] = False,
) -> Page[AccountItem]:
    """Customers by name. An agent sees its own portfolio, managers all of them or one agent's (VIP-4)."""
    found = await accounts.find_accounts(
        session,
        order,
        agent=await agent_listed(session, actor, documents, agent, now),
        status=status,
        policy=policy,
        name=q,
        external_id=external_id,
        unassigned=unassigned,
    )
    facts = await load_facts(session, [each.item.id for each in found], now=now)
    return page(found, order, show=lambda each: _item(each, facts[each.id], documents, now))


@router.get("/customers/{customer_id}")
async def get_customer(
    customer_id: UUID, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> AccountDetails:
    """One customer: status, what is owed, contacts, promises, plan, notice, suspension, and what may be done now."""
    permits(actor, documents, READ)
    view = await accounts.view_account(session, customer_id)
    set_etag(response, view.account.version)
    facts = (await load_facts(session, [customer_id], now=now))[customer_id]
    return show_account(view, facts, _explain(facts, documents, now, actor.person), documents, now)


@router.get("/customers/{customer_id}/explanation")
async def get_explanation(
    customer_id: UUID,
    request: Request,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    at: Annotated[AwareDatetime | None, Query(description="un instante pasado: lo que se explicaba entonces, con lo que se sabía")] = None,
) -> ExplanationView:
    """Why the customer is in its status, what may be done and by whom, what may not and by which rule, and what comes next. With `at` it is
    the explanation of that instant once more, from what was known by then, whatever was heard of since."""
    permits(actor, documents, READ)
    account = await accounts.get_account(session, customer_id)
    set_etag(response, account.version)
    then = at or now
    known = await load_facts(session, [customer_id], now=then, known_at=at)
    if then > now or customer_id not in known:
        raise _not_explained(then, now, documents)
    found = _explain(known[customer_id], documents, then, actor.person)
    return show_explanation(known[customer_id], found, documents, then, simulated=runtime_of(request).clock.simulated)


@router.get("/customers/{customer_id}/qualification")
async def get_qualification(customer_id: UUID, session: Session, now: Now, actor: Actor, documents: Documents) -> QualificationView:
    """Does the customer qualify for the segment, by which criterion and which fact (VIP-1)? And since which note is it in it (VIP-2)?"""
    permits(actor, documents, READ)
    account = await accounts.get_account(session, customer_id)
    today = BusinessCalendar(documents).today(now)
    judged = findings(documents, segments.profile_of(account, today))
    wanted = documents.qualification
    change = await segments.latest_change(session, customer_id)
    return QualificationView(
        customer_id=customer_id,
        policy=wanted.policy,
        policy_name=documents.policy(wanted.policy).name,
        rule=quote(documents, wanted.rule),
        qualifies=any(each.holds for each in judged),
        in_segment=account.policy == wanted.policy,
        note=change.note if change is not None and change.policy == account.policy else None,
        criteria=[FindingView(**asdict(each)) for each in judged],
    )


def _not_explained(at: datetime, now: datetime, documents: Operator) -> Invalid:
    """Why there is no explanation of this instant: it is to come, or the customer was not known yet."""
    why = f"todavía no llega; ahora es el {dated(documents, now)}" if at > now else "el cliente todavía no se conocía"
    return Invalid(
        f"No hay nada que explicar del {dated(documents, at)}.",
        errors=[FieldError(field="at", message=why)],
        remedy="Pida un instante desde que se conoce al cliente; lo que viene está en `next`.",
    )


def _explain(facts: Facts, documents: Operator, now: Now, person: str) -> Explanation:
    return explain(facts, Book(documents).terms(facts.policy), now, person=person)


def _item(account: Account, facts: Facts, documents: Operator, now: Now) -> AccountItem:
    policy = documents.policy(account.policy)
    return AccountItem(
        customer_id=account.id,
        external_source=account.external_source,
        external_id=account.external_id,
        name=account.name,
        policy=policy.code,
        policy_name=policy.name,
        status=StatusView(code=account.status, label=policy.statuses[account.status]),  # type: ignore[index]
        agent=account.agent,
        agent_name=who(documents, account.agent),
        owed=money_view(documents, owed(facts.invoices, now), account.currency),
        overdue=money_view(documents, owed(overdue(facts, now), now), account.currency),
    )
