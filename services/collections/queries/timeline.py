"""What happened with one account, in order and in sentences: read from the facts themselves, so that it cannot differ from them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col, select

from services.collections import models
from services.collections.queries import sentences
from services.collections.queries.sentences import Entry
from shared.errors import NotFound
from shared.operator import Operator

Row = TypeVar("Row", bound=SQLModel)


@dataclass(frozen=True)
class Facts:
    """The rows of one account, by table."""

    account: models.Account
    segments: Sequence[models.SegmentChange]
    portfolios: Sequence[models.PortfolioChange]
    contacts: Sequence[models.Contact]
    invoices: Sequence[models.Invoice]
    reminders: Sequence[models.Reminder]
    payments: Sequence[models.Payment]
    promises: Sequence[models.Promise]
    plans: Sequence[models.Plan]
    instalments: Sequence[models.PlanInstalment]
    reviews: Sequence[models.Review]
    notices: Sequence[models.Notice]
    suspensions: Sequence[models.Suspension]
    statuses: Sequence[models.StatusChange]
    outages: Sequence[models.Outage]


async def timeline(session: AsyncSession, operator: Operator, customer_id: UUID, now: datetime) -> list[Entry]:
    """Everything that is known of the account up to now, the oldest first. Raises NotFound."""
    facts = await _facts(session, customer_id)
    found = [each for each in _entries(operator, facts) if each.at <= now]
    return sorted(found, key=lambda each: each.place)


async def _facts(session: AsyncSession, customer_id: UUID) -> Facts:
    account = await session.get(models.Account, customer_id)
    if account is None:
        raise NotFound(f"No existe el cliente {customer_id}.")
    plans = await _rows(session, models.Plan, col(models.Plan.account_id) == customer_id)
    return Facts(
        account=account,
        segments=await _rows(session, models.SegmentChange, col(models.SegmentChange.customer_id) == customer_id),
        portfolios=await _rows(session, models.PortfolioChange, col(models.PortfolioChange.customer_id) == customer_id),
        contacts=await _rows(session, models.Contact, col(models.Contact.customer_id) == customer_id),
        invoices=await _rows(session, models.Invoice, col(models.Invoice.account_id) == customer_id),
        reminders=await _rows(session, models.Reminder, col(models.Reminder.account_id) == customer_id),
        payments=await _rows(session, models.Payment, col(models.Payment.account_id) == customer_id),
        promises=await _rows(session, models.Promise, col(models.Promise.account_id) == customer_id),
        plans=plans,
        instalments=await _rows(session, models.PlanInstalment, col(models.PlanInstalment.plan_id).in_([each.id for each in plans])),
        reviews=await _rows(session, models.Review, col(models.Review.account_id) == customer_id),
        notices=await _rows(session, models.Notice, col(models.Notice.account_id) == customer_id),
        suspensions=await _rows(session, models.Suspension, col(models.Suspension.account_id) == customer_id),
        statuses=await _rows(session, models.StatusChange, col(models.StatusChange.account_id) == customer_id),
        outages=await _rows(
            session,
            models.Outage,
            col(models.Outage.access_node).in_(account.nodes)
            & (col(models.Outage.closed_at).is_(None) | (col(models.Outage.closed_at) >= account.registered_at)),
        ),
    )


async def _rows(session: AsyncSession, model: type[Row], of: ColumnElement[bool]) -> Sequence[Row]:
    return (await session.execute(select(model).where(of).execution_options(populate_existing=True))).scalars().all()


def _entries(operator: Operator, facts: Facts) -> Iterator[Entry]:
    policy = operator.policy(facts.account.policy)
    numbers = {each.id: each.number for each in facts.invoices}
    told = {each.invoice_id for each in facts.contacts if each.kind == models.ContactKind.INVOICE_SENT}
    yield sentences.registered(operator, policy, facts.account)
    yield from (sentences.segment(operator, policy, each) for each in facts.segments)
    yield from (sentences.portfolio(operator, policy, each) for each in facts.portfolios)
    yield from (sentences.contact(operator, policy, each, numbers) for each in facts.contacts)
    for invoice in facts.invoices:
        yield from sentences.invoice(operator, policy, invoice, sending_told=invoice.id in told)
    yield from (sentences.reminder(policy, each, numbers) for each in facts.reminders)
    for payment in facts.payments:
        yield from sentences.payment(operator, policy, payment)
    for promise in facts.promises:
        yield from sentences.promise(operator, policy, promise)
    for plan in facts.plans:
        yield from sentences.plan(operator, policy, plan, [each for each in facts.instalments if each.plan_id == plan.id])
    for review in facts.reviews:
        yield from sentences.review(operator, policy, review)
    for notice in facts.notices:
        yield from sentences.notice(operator, policy, notice)
    for suspension in facts.suspensions:
        yield from sentences.suspension(operator, policy, suspension)
    for outage in facts.outages:
        yield from sentences.outage(policy, outage)
    yield from (sentences.status(operator, policy, each) for each in sorted(facts.statuses, key=lambda each: each.version))
