"""The status function under everything that can happen to an account, in any order (Kill Bill's issue 2297 is the story to beat: partial
payments on several overdue invoices left the overdue state wrong)."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.collections.rules.actions import (
    ChargeFee,
    DispatchInvoice,
    HandToRecovery,
    OrderCut,
    OrderReconnection,
    ReleaseRestriction,
    Remind,
    Restrict,
    WithdrawCut,
)
from services.collections.rules.agreements import judge_plan, judge_promise
from services.collections.rules.assessment import Assessment, agreement, assess
from services.collections.rules.debts import believed_open, confirmed_open, disputed, open_disputes, owed, unpaid, unpaid_months
from services.collections.rules.facts import (
    Deduction,
    Facts,
    Fee,
    Instalment,
    Invoice,
    Part,
    Payment,
    Plan,
    Promise,
    Restriction,
    Suspension,
)
from services.collections.rules.states import SYSTEM, DeductionKind, SuspensionState
from services.collections.rules.terms import Book, Terms
from services.collections.rules.worklist import next_change, place
from shared.db import new_id
from shared.operator.policies import Fees, LateFee, ReconnectionFee, Recovery
from tests.collections.factories import local
from tests.support.rules import rule
from tests.support.service import operator

START = local(1)
HOURS = st.integers(min_value=0, max_value=24 * 60)
AMOUNT = Decimal("100.00")


@cache
def book() -> Book:
    """The operator's policies, and `cargos`: like residencial, with a fee for what is ten days late and one for a reconnection, and cases
    that go to recovery on the sixth."""
    fees = Fees(
        late=LateFee(days_after_due=10, percent=Decimal(5), rule="RES-4"), reconnection=ReconnectionFee(amount=Decimal(3), rule="RES-7")
    )
    base = operator().policy("residencial")
    recovery = {
        "recovery": Recovery(day_of_month=6, procedure="retiro_servicio_vip"),
        "statuses": {**base.statuses, "recovery": "RECOGER"},
        "rules": {**base.rules, "recovery": "RES-5"},
    }
    charging = base.model_copy(update={"code": "cargos", "fees": fees, **recovery})
    return Book(operator().model_copy(update={"policies": {**operator().policies, "cargos": charging}}))


@dataclass(frozen=True)
class Happening:
    """Something that befalls the account some hours after the start. `which` and `share` choose among what there is by then."""

    hours: int
    kind: str
    which: int
    share: int


happenings = st.lists(
    st.builds(
        Happening,
        HOURS,
        st.sampled_from(
            [
                *["pay"] * 3,
                "pay_two",
                "confirm",
                "confirm",
                "reject",
                "bounce",
                *["promise", "plan", "void", "credit", "dispute", "resolve", "fee", "look"],
            ]
        ),
        st.integers(0, 5),
        st.integers(1, 4),
    ),
    max_size=14,
)


@dataclass
class World:
    """An account and the services around it, as faithful as needed: billing's allocation to the oldest, ticketing that obeys at once."""

    policy: str
    facts: Facts = field(init=False)
    orders: list[str] = field(default_factory=list)
    open: dict[UUID, Decimal] = field(default_factory=dict)  # what billing knows to be open, kept apart from the functions under test
    spread: dict[UUID, list[tuple[UUID, Decimal]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        calendar = book().calendar
        invoices = tuple(
            Invoice(
                id=new_id(),
                number=f"F-{month}",
                period=f"2026-0{month}",
                origin="run",
                due_date=(due := date(2026, month, 5)),
                due_ends_at=calendar.end_of_day(due),
                balance=AMOUNT,
                issued_at=START if month <= 3 else local(1, month=4),
            )
            for month in (2, 3, 4)
        )
        self.open = {each.id: each.balance for each in invoices}
        self.facts = Facts(new_id(), self.policy, "USD", "own", START, agent="ana.martinez", invoices=invoices)

    @property
    def terms(self) -> Terms:
        return book().terms(self.policy)

    def happen(self, what: Happening, now: datetime) -> None:
        facts = self.facts
        if what.kind in ("pay", "pay_two"):
            self.pay(AMOUNT * what.share / 4 * (2 if what.kind == "pay_two" else 1), now)
        elif what.kind in ("confirm", "reject"):
            waiting = [each for each in facts.payments if each.confirmed_at is None and each.rejected_at is None]
            if waiting:
                self.settle(waiting[what.which % len(waiting)].id, now, confirmed=what.kind == "confirm")
        elif what.kind == "promise" and unpaid(facts, now):
            self.promise(now, what)
        elif (
            what.kind == "plan" and unpaid(facts, now) and not any(judge_plan(each, facts, now).state == "RUNNING" for each in facts.plans)
        ):
            debt = owed(facts.invoices, now)
            parts = (Instalment(1, now + timedelta(days=2), debt / 2), Instalment(2, now + timedelta(days=4), debt - debt / 2))
            known = tuple(each.id for each in facts.payments if each.reported_at >= now)
            self.facts = replace(facts, plans=(*facts.plans, Plan(new_id(), now, "ana.martinez", parts, known_payments=known)))
        else:
            self.correct(what, now)

    def correct(self, what: Happening, now: datetime) -> None:
        """What billing takes back, leaves out, or charges beside the month."""
        open_ones = [each for each in self.facts.invoices if each.issued_at <= now and self.open[each.id] > 0]
        if what.kind == "void":
            self.void(what, now)
        elif what.kind == "bounce":
            came = [each for each in self.facts.payments if each.confirmed_at is not None and each.rejected_at is None]
            if came:
                self.settle(came[what.which % len(came)].id, now, confirmed=False)
        elif what.kind == "fee":
            self.charge(now)
        elif what.kind == "resolve" and (disputes := open_disputes(self.facts, now)):
            done = disputes[what.which % len(disputes)].id
            for each in self.facts.invoices:
                kept = tuple(replace(one, until=now) if one.id == done else one for one in each.deductions)
                self._invoice(each.id, deductions=kept)
        elif what.kind in ("credit", "dispute") and open_ones:
            invoice = open_ones[what.which % len(open_ones)]
            amount = self.open[invoice.id] * what.share / 4
            made = Deduction(new_id(), DeductionKind(what.kind.upper()), amount, "reclamo", now)
            self._invoice(invoice.id, deductions=(*invoice.deductions, made))
            if what.kind == "credit":
                self.open[invoice.id] -= amount

    def charge(self, now: datetime) -> None:
        """Billing's invoice for a fee: a debt beside the months."""
        due = (now + timedelta(days=8)).date()
        made = Invoice(new_id(), "F-cargo", f"{now:%Y-%m}", "manual", due, book().calendar.end_of_day(due), Decimal(5), now, fee="late")
        self.open[made.id] = made.balance
        self.facts = replace(self.facts, invoices=tuple(sorted((*self.facts.invoices, made), key=lambda each: each.due_date)))

    def promise(self, now: datetime, what: Happening) -> None:
        facts = self.facts
        known = tuple(each.id for each in facts.payments if each.reported_at >= now)
        period = unpaid(facts, now)[0].period
        made = Promise(
            new_id(), period, 1, AMOUNT * what.share / 4, now, now + timedelta(hours=6 * what.share), "ana.martinez", known_payments=known
        )
        self.facts = replace(facts, promises=(*facts.promises, made))

    def void(self, what: Happening, now: datetime) -> None:
        free = [each for each in self.facts.invoices if not each.parts and each.issued_at <= now and each.voided_at is None]
        if free:
            gone = free[what.which % len(free)].id
            self.open[gone] = Decimal(0)
            self.facts = replace(
                self.facts, invoices=tuple(replace(each, voided_at=now) if each.id == gone else each for each in self.facts.invoices)
            )

    def pay(self, amount: Decimal, now: datetime) -> None:
        payment, left, invoices = Payment(new_id(), amount, now), amount, []
        for invoice in self.facts.invoices:
            part = min(left, self.open[invoice.id]) if invoice.issued_at <= now else Decimal(0)
            left -= part
            self.open[invoice.id] -= part
            self.spread.setdefault(payment.id, []).append((invoice.id, part))
            invoices.append(replace(invoice, parts=(*invoice.parts, Part(payment.id, part, now))) if part else invoice)
        self.facts = replace(self.facts, invoices=tuple(invoices), payments=(*self.facts.payments, payment))

    def settle(self, payment_id: UUID, now: datetime, *, confirmed: bool) -> None:
        for invoice_id, part in [] if confirmed else self.spread[payment_id]:
            self.open[invoice_id] += part
        change: Any = {"confirmed_at" if confirmed else "rejected_at": now}
        self.facts = replace(
            self.facts,
            payments=tuple(replace(each, **change) if each.id == payment_id else each for each in self.facts.payments),
            invoices=tuple(
                replace(each, parts=tuple(replace(part, **change) if part.payment_id == payment_id else part for part in each.parts))
                for each in self.facts.invoices
            ),
        )

    def review(self, now: datetime) -> Assessment:
        """What the review job does: assess, and carry out what follows. Ticketing cuts and reconnects at once."""
        found = assess(self.facts, self.terms, now)
        for action in found.actions:
            self.orders.append(f"{type(action).__name__} {now.isoformat()}")
            self.carry_out(action, now)
        self.facts = replace(self.facts, status=found.standing.code)
        return self.review(now) if found.actions else found

    def carry_out(self, action: object, now: datetime) -> None:
        if isinstance(action, OrderCut):
            assert unpaid(self.facts, now), "cut with nothing owed"
            self.restrictions(now, outcome="suspended", ended_at=now)
            ids = tuple(each.id for each in unpaid(self.facts, now) if each.due_ends_at <= now)
            cut = Suspension(new_id(), SYSTEM, now, SuspensionState.SUSPENDED, "SYSTEM", ids, suspended_at=now)
            self.facts = replace(self.facts, suspensions=(*self.facts.suspensions, cut))
        elif isinstance(action, OrderReconnection):
            done = replace(
                action.suspension,
                state=SuspensionState.RECONNECTED,
                reconnection_requested_at=now,
                basis=action.basis,
                target_status=self.terms.policy.reconnection.target_status[action.basis],  # type: ignore[index]
                reconnected_at=now,
            )
            self.facts = replace(self.facts, suspensions=(*self.facts.suspensions[:-1], done))
        elif isinstance(action, Restrict):
            assert unpaid_months(self.facts, now), "restricted with nothing owed"
            assert all(each.ended_at is not None for each in self.facts.restrictions), "restricted twice"
            ids = tuple(each.id for each in unpaid(self.facts, now) if each.due_ends_at <= now)
            limit = Restriction(new_id(), now, invoice_ids=ids, restricted_at=now)
            self.facts = replace(self.facts, restrictions=(*self.facts.restrictions, limit))
        elif isinstance(action, ReleaseRestriction):
            self.restrictions(now, outcome="released", release_requested_at=now, release_cause=action.cause, ended_at=now)
        elif isinstance(action, DispatchInvoice):
            self._invoice(action.invoice.id, dispatched_at=now)
        elif isinstance(action, Remind):
            self._invoice(action.invoice.id, reminders=(*action.invoice.reminders, action.reminder.code))
        elif isinstance(action, ChargeFee):
            assert action.occasion not in {each.occasion for each in self.facts.fees}, "charged twice"
            made = Fee(new_id(), action.occasion, action.kind, action.amount, action.reason, now)
            self.facts = replace(self.facts, fees=(*self.facts.fees, made))
        elif isinstance(action, HandToRecovery):
            handed = replace(action.suspension, recovery_requested_at=now, recovery_ended_at=None)
            self.facts = replace(self.facts, suspensions=(*self.facts.suspensions[:-1], handed))
        else:
            assert not isinstance(action, WithdrawCut)

    def restrictions(self, now: datetime, **change: Any) -> None:
        """What becomes of the restriction that stands."""
        self.facts = replace(
            self.facts, restrictions=tuple(replace(each, **change) if each.ended_at is None else each for each in self.facts.restrictions)
        )

    def _invoice(self, invoice_id: UUID, **change: Any) -> None:
        self.facts = replace(
            self.facts,
            invoices=tuple(replace(each, **change) if each.id == invoice_id else each for each in self.facts.invoices),
        )


def play(policy: str, story: list[Happening], extra: list[int]) -> tuple[World, list[tuple[datetime, str]]]:
    """Let a story happen, stopping at every instant that an assessment names (as the conductor does) and at `extra` ones, where nothing
    but a look is taken. Answers the world and every change of the status."""
    world = World(policy)
    steps = [(START, world.review(START).standing.code)]
    stops = sorted([*story, *(Happening(each, "look", 0, 1) for each in extra)], key=lambda each: each.hours)
    for stop in [*stops, Happening(24 * 70, "look", 0, 1)]:
        until = START + timedelta(hours=stop.hours)
        while (due := world.review(steps[-1][0]).next_review_at) is not None and due <= until:
            steps.append((due, world.review(due).standing.code))
        world.happen(stop, until)
        steps.append((until, world.review(until).standing.code))
    return world, steps


def changes_of(steps: list[tuple[datetime, str]]) -> list[tuple[datetime, str]]:
    """Only where the status became another."""
    found: list[tuple[datetime, str]] = []
    for at, code in steps:
        if not found or found[-1][1] != code:
            found.append((at, code))
    return found


@settings(max_examples=150, deadline=None)
@given(happenings, st.lists(HOURS, max_size=8), st.sampled_from(["residencial", "vip", "cargos"]))
def test_one_jump_or_many_looks_in_between_change_nothing(story: list[Happening], extra: list[int], policy: str) -> None:
    few, many = play(policy, story, []), play(policy, story, extra)
    assert few[0].orders == many[0].orders
    assert changes_of(few[1]) == changes_of(many[1])


@settings(max_examples=150, deadline=None)
@example([Happening(721, "promise", 0, 1), Happening(722, "pay_two", 0, 4)], "residencial")
@given(happenings, st.sampled_from(["residencial", "vip", "cargos"]))
def test_the_next_instant_is_never_missed(story: list[Happening], policy: str) -> None:
    """Between now and the instant that an assessment names, nothing changes by time alone."""
    world, steps = play(policy, story, [])
    now = steps[-1][0] - timedelta(days=40)
    facts = world.facts
    found = assess(facts, world.terms, now)
    end = found.next_review_at or now + timedelta(days=60)
    for at in [*(now + (end - now) * part // 5 for part in range(1, 5)), end - timedelta(microseconds=1)]:
        later = assess(facts, world.terms, at)
        assert later.standing == found.standing
        assert [type(each) for each in later.actions] == [type(each) for each in found.actions]
        assert later.next_review_at == found.next_review_at


@settings(max_examples=200, deadline=None)
@example([Happening(20, "promise", 0, 3)], 0, 1)
@example([Happening(20, "plan", 0, 1)], 0, 1)
@given(happenings, st.integers(0, 13), st.integers(0, 30))
def test_the_place_in_the_worklist_changes_only_at_the_instants_that_are_named(story: list[Happening], which: int, later: int) -> None:
    """An account is skipped until its next instant, so nothing of what people see of it may change before that by time alone."""
    world, _ = play("vip", story, [])
    begin = story[which % len(story)].hours if story else 0
    now, facts, terms = START + timedelta(hours=begin + later), world.facts, world.terms
    named = [assess(facts, terms, now).next_review_at, next_change(facts, terms, now)]
    end = min((each for each in named if each is not None), default=now + timedelta(days=60))
    for at in [*(now + (end - now) * part // 5 for part in range(1, 5)), end - timedelta(microseconds=1)]:
        assert place(facts, terms, at) == place(facts, terms, now)


@settings(max_examples=150, deadline=None)
@given(happenings, st.sampled_from(["residencial", "cargos"]))
def test_the_system_cuts_only_who_owes_and_reconnects_whoever_paid(story: list[Happening], policy: str) -> None:
    world, steps = play(policy, story, [])
    now, facts = steps[-1][0], world.facts
    collected = {each.id: max(world.open[each.id] - disputed(each, now), Decimal(0)) for each in facts.invoices}
    assert {each.id: believed_open(each, now) for each in facts.invoices} == collected
    assert all(confirmed_open(each, now) >= world.open[each.id] for each in facts.invoices)
    cut = facts.suspensions[-1] if facts.suspensions else None
    if cut is not None and cut.reconnected_at is None:
        assert owed([each for each in facts.invoices if each.id in cut.invoice_ids or world.terms.cut_from(each) <= now], now) > 0
    owes = [each for each in unpaid_months(facts, now) if world.terms.cut_from(each) <= now]
    if owes and facts.status in ("active", "restricted"):
        raise AssertionError(f"still connected with {len(owes)} unpaid invoices")
    assert all(each.reconnected_at is not None for each in facts.suspensions[:-1])


@rule("RES-9")
@settings(max_examples=200, deadline=None)
@example([Happening(24 * 17, "promise", 0, 4)], "residencial")
@example([Happening(24 * 17, "pay", 0, 4), Happening(24 * 18, "reject", 0, 1)], "residencial")
@given(happenings, st.sampled_from(["residencial", "cargos", "vip"]))
def test_restricted_is_who_owes_from_the_hour_on_and_nobody_else(story: list[Happening], policy: str) -> None:
    """At every instant of every story; the debts are counted by what billing knows, apart from the function under test."""
    world, steps = play(policy, story, [])
    now, facts, terms = steps[-1][0], world.facts, world.terms
    standing_ones = [each for each in facts.restrictions if each.ended_at is None]
    if policy == "vip":
        assert not facts.restrictions
    months = [
        each for each in facts.invoices if each.fee is None and world.open[each.id] - disputed(each, now) > 0 and each.voided_at is None
    ]
    due = [each for each in months if (begins := terms.restrict_from(each)) is not None and begins <= now]
    agreed = agreement(facts, now) is not None
    cut = any(each.reconnected_at is None for each in facts.suspensions)
    assert not (standing_ones and (cut or agreed or not months)), "restricted though cut, agreed or paid"
    if due and not cut and not agreed and facts.status == "active":
        raise AssertionError("owes since the hour and is neither restricted nor cut")
    for each in facts.restrictions:
        assert each.ended_at is None or each.requested_at <= each.ended_at
        assert not any(
            one.suspended_at is not None and one.suspended_at <= each.requested_at < (one.reconnected_at or now)
            for one in facts.suspensions
        ), "restricted while cut"


@settings(max_examples=150, deadline=None)
@given(happenings, st.randoms(use_true_random=False))
def test_the_order_in_which_facts_arrive_does_not_matter(story: list[Happening], shuffled) -> None:  # type: ignore[no-untyped-def]
    """What is decided follows from when things happened, not from when we heard of them."""
    world, steps = play("vip", story, [])
    now, facts = steps[-1][0], world.facts
    mixed = replace(
        facts,
        payments=tuple(shuffled.sample(facts.payments, len(facts.payments))),
        invoices=tuple(
            replace(
                each,
                parts=tuple(shuffled.sample(each.parts, len(each.parts))),
                deductions=tuple(shuffled.sample(each.deductions, len(each.deductions))),
            )
            for each in facts.invoices
        ),
    )
    by_time = replace(mixed, payments=tuple(sorted(mixed.payments, key=lambda each: (each.reported_at, each.id))))
    one, other = assess(by_time, world.terms, now), assess(facts, world.terms, now)
    assert (one.standing, one.promises, one.plans, one.next_review_at) == (
        other.standing,
        other.promises,
        other.plans,
        other.next_review_at,
    )
    assert [type(each) for each in one.actions] == [type(each) for each in other.actions]


@settings(max_examples=100, deadline=None)
@given(happenings)
def test_agreements_are_judged_once_and_for_all_unless_a_payment_is_rejected(story: list[Happening]) -> None:
    story = [each for each in story if each.kind not in ("reject", "bounce", "void")]
    world, steps = play("vip", story, [])
    end = steps[-1][0]
    for promise in world.facts.promises:
        at_due = judge_promise(promise, world.facts, promise.due_at + timedelta(microseconds=1)).state
        assert at_due in ("KEPT", "BROKEN", "LAPSED")
        assert judge_promise(promise, world.facts, end).state == at_due
    for plan in world.facts.plans:
        last = plan.instalments[-1].due_at + timedelta(microseconds=1)
        assert judge_plan(plan, world.facts, last).state == judge_plan(plan, world.facts, end).state


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 8), min_size=1, max_size=12))
def test_partial_payments_on_several_overdue_invoices_leave_the_right_state(parts: list[int]) -> None:
    """Two months overdue and cut; payments come in pieces. The account is on again exactly when the last piece covers both."""
    world = World("residencial")
    now = local(16)
    assert world.review(now).standing.code == "suspended"
    assert len(world.facts.suspensions[-1].invoice_ids) == 2
    total = Decimal(0)
    for part in parts:
        now += timedelta(hours=5)
        world.pay(AMOUNT * part / 8, now)
        total += AMOUNT * part / 8
        code = world.review(now).standing.code
        covered = total >= AMOUNT * 2
        assert code == ("temporary_active" if covered else "suspended")
