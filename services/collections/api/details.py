"""One account in full, and its explanation, as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from services.collections.api.contacts import show_contact
from services.collections.api.shapes import (
    AccountDetails,
    ActionShown,
    Amounts,
    ChoiceView,
    ClockView,
    ExplanationView,
    HoldNote,
    InstalmentView,
    InvoiceView,
    KnownView,
    NextView,
    NoticeView,
    ObstacleView,
    PersonView,
    PlanView,
    PromiseView,
    RestrictionView,
    ReviewView,
    SuspensionView,
)
from services.collections.api.views import StatusSince, money_view, quote
from services.collections.models import Invoice, Notice, Plan, PlanInstalment, Promise, Restriction, Review, Suspension
from services.collections.queries.accounts import AccountView
from services.collections.rules.debts import ZERO, believed_open, owed, owed_unconfirmed
from services.collections.rules.explaining import ActionView, Explanation, rule_of
from services.collections.rules.facts import Facts, Hold
from services.collections.rules.holds import running_holds
from services.collections.rules.states import SuspensionState
from services.collections.rules.terms import Book
from services.collections.rules.wording import moment, who
from services.collections.rules.worklist import debt
from shared.operator import Operator

CUT_STATES = {
    SuspensionState.REQUESTED: "solicitada",
    SuspensionState.WITHDRAWN: "retirada, falta la respuesta del ticket",
    SuspensionState.CANCELLED: "no se hizo",
    SuspensionState.REFUSED: "no fue posible",
    SuspensionState.SUSPENDED: "suspendido",
    SuspensionState.RECONNECTING: "reconexión solicitada",
    SuspensionState.RECONNECTED: "reconectado",
}
RESTRICTION_ENDS = {
    "released": "quitada",
    "suspended": "reemplazada por la suspensión",
    "cancelled": "no se hizo",
    "refused": "no fue posible",
}


def show_account(view: AccountView, facts: Facts, found: Explanation, documents: Operator, now: datetime) -> AccountDetails:
    """The account for the API."""
    account = view.account
    return AccountDetails(
        customer_id=account.id,
        version=account.version,
        external_source=account.external_source,
        external_id=account.external_id,
        name=account.name,
        policy=account.policy,
        policy_name=documents.policy(account.policy).name,
        status=_status(facts, found, documents),
        agent=PersonView(person=account.agent, name=who(documents, account.agent)),
        delivery=account.delivery,
        monthly_amount=money_view(documents, account.monthly_amount, account.currency),
        contract_start=account.contract_start,
        contract_end=account.contract_end,
        people=account.contacts,
        services=account.services,
        amounts=_amounts(facts, documents, now),
        invoices=[_invoice(each, facts, documents, now) for each in view.invoices],
        promises=[show_promise(each, documents) for each in view.promises],
        plan=show_plan(view.plan, view.instalments, documents) if view.plan else None,
        review=show_review(view.review) if view.review else None,
        notice=show_notice(view.notice, documents) if view.notice else None,
        suspension=show_suspension(view.suspension, documents) if view.suspension else None,
        restriction=show_restriction(view.restriction, documents) if view.restriction else None,
        holds=[show_hold(each) for each in running_holds(facts, now)],
        contacts=[show_contact(each, documents) for each in view.contacts],
        next_actions=[show_action(each, documents) for each in found.actions if each.verdict.allowed],
    )


def show_explanation(facts: Facts, found: Explanation, documents: Operator, now: datetime, *, simulated: bool) -> ExplanationView:
    """The explanation for the API."""
    policy = documents.policy(facts.policy)
    shown = [show_action(each, documents) for each in found.actions]
    return ExplanationView(
        customer_id=facts.account_id,
        name=facts.name,
        policy=policy.code,
        policy_name=policy.name,
        decided_by=policy.decided_by,
        clock=ClockView(now=now, local=moment(documents, now), time_zone=documents.time_zone, simulated=simulated),
        summary=found.summary,
        status=_status(facts, found, documents),
        may=[each for each in shown if each.allowed],
        may_not=[each for each in shown if not each.allowed],
        facts=[KnownView(kind=each.kind, text=each.text, since=each.at, fact_id=each.fact_id) for each in found.known],
        next=[
            NextView(at=each.at, local=moment(documents, each.at), text=each.text, rule=quote(documents, each.rule)) for each in found.next
        ],
        choices=[ChoiceView(rule=rule, text=text) for rule, text in found.choices],
    )


def show_action(action: ActionView, documents: Operator) -> ActionShown:
    """An action with its verdict."""
    verdict = action.verdict
    return ActionShown(
        action=verdict.action,
        label=action.label,
        allowed=verdict.allowed,
        by=verdict.by,
        reason=verdict.reason,
        rule=quote(documents, verdict.rule),
        remedy=verdict.remedy,
        allowed_from=verdict.allowed_from,
        allowed_for_you=action.allowed_for_you,
        your_obstacle=None if action.allowed_for_you else action.yours.reason,
        obstacles=[
            ObstacleView(rule=quote(documents, each.rule), reason=each.reason, remedy=each.remedy, until=each.until)
            for each in verdict.obstacles
        ],
        path=action.command,
    )


def show_hold(hold: Hold) -> HoldNote:
    """A hold that keeps the customer, or one of its services, out."""
    return HoldNote(hold_id=hold.id, service_id=hold.service_id, reason=hold.reason, owner=hold.owner, until=hold.until)


def show_notice(notice: Notice, documents: Operator) -> NoticeView:
    """A notice for the API."""
    amount = money_view(documents, notice.amount, notice.currency)
    return NoticeView(amount=amount, **notice.model_dump(include=set(NoticeView.model_fields) - {"amount"}))


def show_suspension(order: Suspension, documents: Operator) -> SuspensionView:
    """An order to cut for the API; what its switch left open only until the outcome is known."""
    shown = order.model_dump(include=set(SuspensionView.model_fields) - {"label", "rule", "amount"})
    known = [each for each in (order.suspended_at, order.ended_at, order.reconnected_at, order.reconnection_refused_at) if each is not None]
    if order.unresolved_at is not None and any(each >= order.unresolved_at for each in known):
        shown |= {"unresolved_at": None, "unresolved": None}
    return SuspensionView(
        label=CUT_STATES[SuspensionState(order.state)],
        rule=quote(documents, order.rule),
        amount=money_view(documents, order.amount, order.currency),
        **shown,
    )


def show_restriction(order: Restriction, documents: Operator) -> RestrictionView:
    """An order to restrict for the API."""
    return RestrictionView(
        label=_how_far(order),
        rule=quote(documents, order.rule),
        amount=money_view(documents, order.amount, order.currency),
        **order.model_dump(include=set(RestrictionView.model_fields) - {"label", "rule", "amount"}),
    )


def _how_far(order: Restriction) -> str:
    if order.outcome is not None:
        return RESTRICTION_ENDS[order.outcome]
    if order.release_requested_at is not None:
        return "se está quitando"
    return "restringido" if order.restricted_at is not None else "solicitada"


def show_review(review: Review) -> ReviewView:
    """A review for the API."""
    return ReviewView(**review.model_dump(include=set(ReviewView.model_fields)))


def show_promise(promise: Promise, documents: Operator) -> PromiseView:
    """A promise for the API."""
    amount = money_view(documents, promise.amount, promise.currency)
    return PromiseView(amount=amount, **promise.model_dump(include=set(PromiseView.model_fields) - {"amount"}))


def show_plan(plan: Plan, instalments: Sequence[PlanInstalment], documents: Operator) -> PlanView:
    """A plan for the API."""
    parts = [
        InstalmentView(number=each.number, due_at=each.due_at, amount=money_view(documents, each.amount, each.currency))
        for each in instalments
    ]
    return PlanView(instalments=parts, **plan.model_dump(include={"id", "state", "agreed_at", "agent"}))


def _status(facts: Facts, found: Explanation, documents: Operator) -> StatusSince:
    rule = rule_of(documents.policy(facts.policy), found.standing)
    return StatusSince(
        code=found.standing.code, label=found.label, since=found.standing.since, reason=found.reason, rule=quote(documents, rule)
    )


def _amounts(facts: Facts, documents: Operator, now: datetime) -> Amounts:
    found = debt(facts, Book(documents).terms(facts.policy), now)
    waiting = owed_unconfirmed(facts.invoices, now) - owed(facts.invoices, now)
    upcoming = [each.due_date for each in facts.invoices if believed_open(each, now) > ZERO and each.due_ends_at > now]
    return Amounts(
        owed=money_view(documents, found.owed, facts.currency),
        overdue=money_view(documents, found.overdue, facts.currency),
        unconfirmed=money_view(documents, waiting, facts.currency),
        days_overdue=found.days,
        next_due_date=min(upcoming, default=None),
    )


def _invoice(row: Invoice, facts: Facts, documents: Operator, now: datetime) -> InvoiceView:
    known = next((each for each in facts.invoices if each.id == row.id), None)
    left = believed_open(known, now) if known is not None else Decimal(0)
    return InvoiceView(
        id=row.id,
        number=row.number,
        period=row.period,
        due_date=row.due_date,
        total=money_view(documents, row.total, row.currency),
        open=money_view(documents, left, row.currency),
        sent_at=row.dispatched_at,
        sent_by=row.dispatched_by,
        receipt_confirmed_at=row.receipt_confirmed_at,
        receipt_confirmed_by=row.receipt_confirmed_by,
        paid_at=row.paid_at,
        voided_at=row.voided_at,
    )
