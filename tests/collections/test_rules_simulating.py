"""What is shown for a day is what the run does on it when nothing happens meanwhile; what a hold keeps off is named."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.collections.rules.actions import EndHold, OrderCut, Remind, Restrict, SendNotice
from services.collections.rules.facts import Approval, Hold, Notice
from services.collections.rules.mails import mails_of
from services.collections.rules.simulating import Step, simulate
from services.collections.rules.states import StepKind
from services.collections.rules.terms import Book, Terms
from shared.db import new_id
from shared.operator.policies import AllowedFrom
from shared.operator.policies import Approval as Wanted
from tests.collections.factories import local
from tests.collections.test_rules_property import START, Happening, World, happenings
from tests.support.rules import rule
from tests.support.service import operator

POLICIES = ("residencial", "cargos", "avisa", "aprueba")
KINDS = {OrderCut: StepKind.CUT, Restrict: StepKind.RESTRICT, Remind: StepKind.REMIND, SendNotice: StepKind.NOTICE}


@cache
def book() -> Book:
    """The operator's policies; `avisa` gives notice of a cut, `aprueba` has a manager approve the cuts of a day."""
    documents = operator()
    home, vip = documents.policy("residencial"), documents.policy("vip")
    early = AllowedFrom(days_after_due=10, at="end_of_day")
    assert vip.suspension.notice is not None
    notice = vip.suspension.notice.model_copy(update={"before": timedelta(hours=2)})
    told = home.suspension.model_copy(update={"notice": notice, "allowed_from": early})
    asked = home.suspension.model_copy(update={"approval": Wanted(daily_cap=1, rule="COB-2")})
    more = {
        "cargos": home.model_copy(update={"code": "cargos", "promises": home.promises.model_copy(update={"max_per_month": 3})}),
        "avisa": home.model_copy(update={"code": "avisa", "suspension": told}),
        "aprueba": home.model_copy(update={"code": "aprueba", "suspension": asked}),
    }
    return Book(documents.model_copy(update={"policies": {**documents.policies, **more}}))


class Watched(World):
    """A world whose mail servers accept at once, and which keeps what the run did and when."""

    @property
    def terms(self) -> Terms:
        return book().terms(self.policy)

    def carry_out(self, action: object, now: datetime) -> None:
        if isinstance(action, SendNotice):
            notice = Notice(new_id(), action.invoice.period, now, accepted_at=now)
            self.facts = replace(self.facts, notices=(*self.facts.notices, notice))
        elif isinstance(action, EndHold):
            kept = tuple(replace(each, ended_at=each.until) if each.id == action.hold.id else each for each in self.facts.holds)
            self.facts = replace(self.facts, holds=kept)
        else:
            super().carry_out(action, now)

    def run(self, now: datetime, until: datetime) -> datetime:
        """The reviews from an instant on, before another one."""
        while (due := self.review(now).next_review_at) is not None and due < until:
            now = due
        return until

    def did(self, since: datetime) -> set[tuple[StepKind, datetime]]:
        """What the run did since an instant, of what a simulation shows."""
        named = {kind.__name__: shown for kind, shown in KINDS.items()}
        told = [(order.split()[0], datetime.fromisoformat(order.split()[1])) for order in self.orders]
        return {(named[name], at) for name, at in told if name in named and at >= since}


def lived(policy: str, story: Sequence[Happening], until: datetime, hold: Hold | None = None) -> Watched:
    """A world in which the part of a story before an instant has happened; what is left for that instant is not reviewed yet."""
    world, now = Watched(policy), START
    if hold is not None:
        world.facts = replace(world.facts, holds=(hold,))
    for each in sorted(story, key=lambda one: one.hours):
        at = START + timedelta(hours=each.hours)
        if at < until:
            now = world.run(now, at)
            world.happen(each, at)
    world.run(now, until)
    world.facts = replace(world.facts, next_review_at=until)
    return world


def a_hold(begin: int, days: int) -> Hold:
    placed = START + timedelta(hours=begin)
    return Hold(new_id(), None, "se revisa su contrato", "marta.zelaya", placed, placed + timedelta(days=days))


holds = st.none() | st.builds(a_hold, st.integers(0, 24 * 40), st.integers(1, 20))


@rule("COB-1", "COB-2")
@settings(max_examples=300, deadline=None)
@example([], 18, "residencial", None)
@example([Happening(1, "pay", 0, 4)], 14, "avisa", None)
@example([], 13, "avisa", a_hold(24, 10))
@example([], 19, "aprueba", a_hold(24, 17))
@given(happenings, st.integers(1, 60), st.sampled_from(POLICIES), holds)
def test_what_is_shown_for_a_day_is_what_the_run_does_on_it(story: list[Happening], number: int, policy: str, hold: Hold | None) -> None:
    """Shown on the evening before; with the approval that it is shown for, where the policy wants one."""
    evening = START + timedelta(days=number, hours=20)
    world = lived(policy, story, evening, hold)
    calendar = book().calendar
    day = calendar.today(evening) + timedelta(days=1)
    begin, end = calendar.start_of_day(day), calendar.end_of_day(day)
    shown = {(each.kind, each.at) for each in simulate(world.facts, world.terms, evening, day) if each.hold is None}
    if policy == "aprueba":
        world.facts = replace(world.facts, approvals=(Approval(world.terms.cut_hour(day), end, evening),))
    world.orders.clear()
    world.run(evening, end)
    assert shown == world.did(begin)


@rule("COB-2")
def test_without_the_days_approval_nobody_is_cut_and_with_it_only_from_its_hour_on() -> None:
    day = date(2026, 3, 20)
    for approved, wanted in ((False, []), (True, [local(20, 9)])):
        world = lived("aprueba", [], local(19, 20))
        shown = [each for each in simulate(world.facts, world.terms, local(19, 20), day) if each.kind is StepKind.CUT]
        assert [each.at for each in shown] == [local(20, 9)]
        if approved:
            world.facts = replace(world.facts, approvals=(Approval(local(20, 9), local(21), local(19, 21)),))
        world.run(local(19, 21), local(23))
        assert [at for kind, at in sorted(world.did(START)) if kind is StepKind.CUT] == wanted


@rule("COB-1")
def test_what_a_hold_keeps_off_is_shown_with_the_hold() -> None:
    """The cut is due at 9:00 on the 15th and the 20th (February's invoice and March's), and once the hold is over."""
    hold = Hold(new_id(), None, "se revisa su contrato", "marta.zelaya", START, local(25))
    world = lived("residencial", [], local(14, 20), hold)

    def steps(day: int) -> list[Step]:
        return [each for each in simulate(world.facts, world.terms, local(14, 20), date(2026, 3, day)) if each.kind is not StepKind.REMIND]

    assert [(each.kind, each.at, each.hold) for each in steps(15)] == [(StepKind.HELD_CUT, local(15), hold)]
    assert [(each.kind, each.hold) for each in steps(24)] == [(StepKind.HELD_CUT, hold)]
    assert [(each.kind, each.at, each.hold) for each in steps(25)] == [(StepKind.CUT, local(25), None)]
    assert steps(26) == []


@rule("VIP-9", "VIP-12")
def test_of_what_a_person_decides_it_is_shown_from_when_on_it_may_be_done() -> None:
    world = lived("vip", [], local(26, 20))
    kinds = {each.kind: each.at for each in simulate(world.facts, world.terms, local(26, 20), date(2026, 3, 27))}
    assert kinds == {StepKind.NOTICE_POSSIBLE: local(27)}
    world.facts = replace(world.facts, notices=(Notice(new_id(), "2026-02", local(26, 10), accepted_at=local(26, 10)),))
    for day, wanted in ((27, {StepKind.CUT_POSSIBLE: local(27, 10)}), (28, {StepKind.CUT_POSSIBLE: local(28)})):
        shown = simulate(world.facts, world.terms, local(26, 20), date(2026, 3, day))
        assert {each.kind: each.at for each in shown} == wanted, day


def test_the_mails_of_a_step_are_the_operators_notices_for_it() -> None:
    documents = operator()

    def codes(policy: str, kind: StepKind, delivery: str = "own", reminder: str | None = None) -> set[str]:
        return {each.code for each in mails_of(documents, documents.policy(policy), kind, delivery=delivery, reminder=reminder)}

    assert codes("vip", StepKind.NOTICE_POSSIBLE) == {"aviso_suspension_vip"}
    assert codes("vip", StepKind.CUT_POSSIBLE) == codes("vip", StepKind.CUT_POSSIBLE, "third_party") == {"ticket_suspension_cerrado"}
    assert codes("residencial", StepKind.CUT) == {"suspension_residencial_cliente"}
    assert codes("residencial", StepKind.REMIND, reminder="antes_de_vencer") == {"recordatorio_residencial"}
    assert codes("residencial", StepKind.HELD_CUT) == set()
