"""The procedure engine, judged by a machine that plays every procedure in any order."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.ticketing.rules.appointments import Appointment
from services.ticketing.rules.capture import Named
from services.ticketing.rules.engine import cancellable, step
from services.ticketing.rules.states import StepState
from services.ticketing.rules.ticket import (
    SYSTEM,
    THE_SYSTEM,
    Actor,
    ArmDeadline,
    Cancel,
    CancelDeadline,
    CancelSwitch,
    Closed,
    DeadlinePassed,
    Effect,
    EventArrived,
    Finish,
    Input,
    Late,
    Open,
    OpenTask,
    Owner,
    Schedule,
    SwitchClaimed,
    SwitchNetwork,
    SwitchResult,
    Ticket,
)
from shared.calendar import BusinessCalendar
from shared.errors import Invalid, Problem, Refused
from shared.operator import Procedure
from shared.operator.conditions import all_hold
from shared.operator.steps import Step
from tests.support.rules import rule as proves
from tests.support.service import operator

NOW = datetime(2026, 3, 27, 15, 0, tzinfo=UTC)
AGENT = Actor("ana.martinez", frozenset({"cobros"}))
ENGINEER = Actor("oscar.banegas", frozenset({"ingenieria"}))
EVERYBODY = [AGENT, ENGINEER, THE_SYSTEM, Actor("rosa.caceres", frozenset({"recuperaciones"}))]


def task(code: str, role: str, outcomes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"code": code, "name": f"Paso {code}", "kind": "task", "role": role, "rule": "VIP-17", "outcomes": outcomes, **more}


# Parallel pieces of work that a join brings together, a loop back, deadlines, an ending when nothing is left (VIP-17, REL-10 in small).
PARALLEL = Procedure.model_validate(
    {
        "code": "recoger",
        "version": 1,
        "kind": "RECOGER",
        "name": "Retiro en paralelo",
        "rules": ["VIP-17"],
        "desk": "cobros",
        "start": ["datos", "abogado"],
        "steps": [
            task("datos", "requester", {"done": {"label": "Listos", "opens": ["desinstalar", "capacidad"]}}, deadline={"hours": 3}),
            task("desinstalar", "recuperaciones", {"done": {"label": "Retirado", "opens": ["revisar"]}}, deadline={"business_days": 5}),
            task("capacidad", "ingenieria", {"done": {"label": "Documentada", "opens": ["revisar"]}}),
            task(
                "revisar",
                "cobros",
                {"done": {"label": "Conforme"}, "again": {"label": "Faltan datos", "opens": ["datos"]}},
                joins=["desinstalar", "capacidad"],
                capture=[
                    {"name": "equipos", "label": "Equipos", "kind": "number"},
                    {"name": "completo", "label": "Completo", "kind": "yes_no", "required": False},
                ],
            ),
            task("abogado", "cobros", {"done": {"label": "Documentado"}}),
        ],
        "outcomes": {"closed": "Terminado", "gone": "El cliente volvió", "off": "Cancelado"},
        "ends": "closed",
        "closes_on": [{"event": "payment_confirmed", "outcome": "gone"}],
        "cancel": {"outcome": "off", "until": ["desinstalar"]},
    }
)


@cache
def calendar() -> BusinessCalendar:
    return BusinessCalendar(operator())


@cache
def procedures() -> list[Procedure]:
    return [PARALLEL, *operator().procedures.values()]


def play(procedure: Procedure, *inputs: Input, requester: str = AGENT.person, agent: str | None = None) -> tuple[Ticket, list[Effect]]:
    """The ticket after these inputs, and the effects of the last one."""
    ticket, effects = Ticket(requester, agent), list[Effect]()
    for given in inputs:
        ticket, effects = step(procedure, ticket, given, NOW, calendar())
    return ticket, effects


FULL = {"equipos": "3"}
KNOWN: list[dict[str, Any]] = [
    {"delivery": ["own"]},
    {"delivery": ["third_party"], "cause": "unpaid"},
    {"delivery": ["own", "third_party"], "cause": "unpaid"},
    {},
]
NAMED = Named(
    plans=frozenset({"plan"}),
    services={"servicio": "Internet"},
    files={"archivo": {"id": "archivo", "name": "carta.pdf", "media_type": "application/pdf", "size": 1, "sha256": "00"}},
)


def filled_form(task: Step, outcome: str, known: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A form with something in every field that is asked for."""
    found: dict[str, Any] = {}
    for each in task.capture:
        values: dict[str, Any] = {
            "number": "3",
            "money": {"amount": "12.50", "currency": "USD"},
            "date": calendar().today(now).isoformat(),
            "yes_no": True,
            "choice": next(iter(each.choices), None),
            "plan": "plan",
            "service": "servicio",
            "file": "archivo",
            "items": [{"code": "ONT-1", "description": "Router"} | ({"condition": each.choices[0]} if each.choices else {})],
            "signature": {"name": "Julia Paz"},
        }
        if all_hold(each.when, {**known, **found, "outcome": outcome}):
            found[each.name] = values.get(each.kind, "Listo")
    return found


def appointment(now: datetime, *, days: int = 1, opens: time = time(9), closes: time = time(11)) -> Appointment:
    """The n-th business day after this instant, in the morning."""
    day = calendar().nth_business_day(calendar().today(now), days)
    return Appointment(day, opens, closes, "Wilmer Antúnez", AGENT.person, now)


TO_REVIEW = (
    Open(),
    Finish("datos", "done", AGENT),
    Finish("desinstalar", "done", Actor("rosa", frozenset({"recuperaciones"}))),
    Finish("capacidad", "done", ENGINEER),
)


@proves("VIP-13")
def test_own_delivery_asks_the_network_at_once_and_closes_on_its_answer() -> None:
    procedure = operator().procedures["suspension_cliente_vip"]
    _, effects = play(procedure, Open())
    assert effects == [SwitchNetwork("suspender", "network.suspend")]
    ticket, effects = play(procedure, Open(), SwitchResult("suspender", "done"))
    assert effects == [Closed("suspended", None)]
    assert ticket.open == frozenset()


@proves("VIP-14")
def test_third_party_delivery_goes_from_engineering_to_the_agent_to_the_network() -> None:
    procedure = operator().procedures["suspendido_cliente_vip"]
    _, effects = play(procedure, Open())
    monday = datetime(2026, 3, 31, 6, 0, tzinfo=UTC)  # ordered on Friday 27: one business day, our choice
    assert effects == [ArmDeadline("confirmar", 1, monday), OpenTask("confirmar", Owner("ingenieria"))]
    confirm = Finish("confirmar", "done", ENGINEER, comment="Suspendido")
    ticket, effects = play(procedure, Open(), confirm)
    opened = [ArmDeadline("completar", 1, monday), OpenTask("completar", Owner(None, "ana.martinez"))]
    assert effects == [CancelDeadline("confirmar", 1), *opened]
    assert not cancellable(procedure, ticket)
    _, effects = play(procedure, Open(), confirm, Finish("completar", "done", AGENT))
    assert effects == [CancelDeadline("completar", 1), SwitchNetwork("suspender", "network.suspend")]
    for early, remedy in ((Finish("completar", "done", AGENT), "Antes debe terminarse «Ingeniería"), (confirm, None)):
        given = (Open(), early) if remedy else (Open(), confirm, confirm)
        with pytest.raises(Refused) as refusal:
            play(procedure, *given)
        assert refusal.value.rule == "VIP-14"
        assert remedy is None or (refusal.value.remedy or "").startswith(remedy)


def test_a_join_waits_for_all_and_a_loop_opens_a_second_turn() -> None:
    ticket, _ = play(PARALLEL, *TO_REVIEW[:3])
    assert (set(ticket.open), set(ticket.waiting)) == ({"capacidad", "abogado"}, {"revisar"})
    ticket, effects = play(PARALLEL, *TO_REVIEW)
    assert effects == [OpenTask("revisar", Owner("cobros"))]
    ticket, _ = play(PARALLEL, *TO_REVIEW, Finish("revisar", "again", AGENT, FULL))
    again = ticket.latest("datos")
    assert again is not None
    assert (set(ticket.open), again.number) == ({"datos", "abogado"}, 2)
    ticket, _ = play(PARALLEL, *TO_REVIEW, Finish("revisar", "again", AGENT, FULL), *TO_REVIEW[1:3])
    assert (set(ticket.open), set(ticket.waiting)) == ({"capacidad", "abogado"}, {"revisar"})


def test_it_ends_by_itself_when_nothing_is_left() -> None:
    ticket, effects = play(PARALLEL, *TO_REVIEW, Finish("revisar", "done", AGENT, FULL), Finish("abogado", "done", AGENT, comment="Listo"))
    assert effects[-1] == Closed("closed", "Listo")
    assert ticket.closed is not None


def test_an_event_closes_it_whatever_is_open() -> None:
    ticket, effects = play(PARALLEL, *TO_REVIEW[:2], EventArrived("payment_confirmed"))
    assert effects == [CancelDeadline("desinstalar", 1), Closed("gone", None)]
    assert {turn.state for turn in ticket.turns} == {StepState.FINISHED, StepState.DROPPED}
    assert play(PARALLEL, Open(), EventArrived("payment_reported"))[1] == []


def test_deadlines_are_armed_cancelled_and_passed() -> None:
    _, effects = play(PARALLEL, Open())
    assert effects[0] == ArmDeadline("datos", 1, NOW + timedelta(hours=3))
    _, effects = play(PARALLEL, *TO_REVIEW[:2])
    # Friday 27 March, then the working days of the Holy Week that Honduras keeps: five of them end on Monday 6 April.
    due = next(effect.at for effect in effects if isinstance(effect, ArmDeadline))
    assert effects[0] == CancelDeadline("datos", 1)
    assert due == calendar().add_business_days(NOW, 5)
    ticket, _ = play(PARALLEL, Open())
    late, effects = step(PARALLEL, ticket, DeadlinePassed("datos", 1), NOW + timedelta(hours=3), calendar())
    assert effects == [Late("datos", 1)]
    assert step(PARALLEL, late, DeadlinePassed("datos", 1), NOW + timedelta(hours=4), calendar()) == (late, [])
    assert step(PARALLEL, ticket, DeadlinePassed("datos", 1), NOW, calendar()) == (ticket, [])


@pytest.mark.parametrize(
    ("captured", "error", "field"),
    [
        ({}, Refused, "captured.equipos"),
        ({"equipos": " "}, Refused, "captured.equipos"),
        ({"equipos": 1.5}, Invalid, "captured.equipos"),
        ({"equipos": "NaN"}, Invalid, "captured.equipos"),
        ({"equipos": "tres"}, Invalid, "captured.equipos"),
        ({"equipos": "3", "completo": "sí"}, Invalid, "captured.completo"),
        ({"equipos": "3", "equipo": "3"}, Invalid, "captured.equipo"),
    ],
)
def test_what_is_captured_is_checked(captured: dict[str, Any], error: type[Problem], field: str) -> None:
    with pytest.raises(error) as problem:
        play(PARALLEL, *TO_REVIEW, Finish("revisar", "done", AGENT, captured))
    assert [each.field for each in problem.value.errors] == [field]
    assert problem.value.rule == "VIP-17"


def test_what_nobody_asked_for_is_the_agents_else_the_desks() -> None:
    assert play(PARALLEL, Open(), requester=SYSTEM, agent="carlos.rivera")[1][1] == OpenTask("datos", Owner(None, "carlos.rivera"))
    assert play(PARALLEL, Open(), requester=SYSTEM)[1][1] == OpenTask("datos", Owner("cobros"))
    with pytest.raises(Refused):
        play(PARALLEL, *TO_REVIEW[:2], Finish("capacidad", "done", THE_SYSTEM))


def test_a_claimed_or_finished_switch_cannot_be_cancelled() -> None:
    procedure = operator().procedures["suspension_cliente_vip"]
    _, effects = play(procedure, Open(), Cancel("payment", "Pagó"))
    assert effects == [CancelSwitch("suspender"), Closed("cancelled", "Pagó")]
    with pytest.raises(Refused, match="la red ya recibió la orden"):
        play(procedure, Open(), SwitchClaimed("suspender"), Cancel("payment"))
    with pytest.raises(Refused, match="ya está cerrado"):
        play(procedure, Open(), SwitchResult("suspender", "done"), Cancel("payment"))


class AnyOrder(RuleBasedStateMachine):
    """Throws every kind of input at a ticket, in any order, and judges what becomes of it."""

    @initialize(number=st.integers(0, 100), requester=st.sampled_from([AGENT.person, SYSTEM]), facts=st.sampled_from(KNOWN))
    def begin(self, number: int, requester: str, facts: dict[str, Any]) -> None:
        self.procedure = procedures()[number % len(procedures())]
        self.before = self.ticket = self.first = Ticket(requester, facts=facts)
        self.inputs: list[tuple[Input, datetime]] = []
        self.effects: list[Effect] = []
        self.now = NOW
        self.give(Open())

    def give(self, given: Input) -> None:
        self.now += timedelta(minutes=50)
        self.before = self.ticket
        problem = None
        try:
            self.ticket, effects = step(self.procedure, self.ticket, given, self.now, calendar())
        except Problem as refusal:
            problem = refusal
        if problem is not None:
            assert problem.rule or problem.errors
            assert problem.detail
            assert problem.remedy or problem.errors
            assert self.ticket == self.before
            return
        self.inputs.append((given, self.now))
        self.effects += effects

    def codes(self) -> Sequence[str]:
        return [each.code for each in self.procedure.steps]

    @rule(data=st.data(), actor=st.sampled_from(EVERYBODY), captured=st.sampled_from([{}, FULL, {"comentario": "Listo"}]))
    def finish(self, data: st.DataObject, actor: Actor, captured: dict[str, Any]) -> None:
        code = data.draw(st.sampled_from([*self.codes(), "nada"]))
        outcomes = ["done", "refused", "again"]
        self.give(Finish(code, data.draw(st.sampled_from(outcomes)), actor, captured))

    @precondition(lambda self: self.ticket.open)
    @rule(data=st.data())
    def finish_what_is_open(self, data: st.DataObject) -> None:
        code = data.draw(st.sampled_from(sorted(self.ticket.open)))
        task = self.procedure.step(code)
        desks = frozenset({task.role or "", self.procedure.desk})
        outcome = data.draw(st.sampled_from(sorted(task.outcomes)))
        actor = Actor(AGENT.person, desks)
        if task.work_order is not None:
            self.give(Schedule(code, actor, appointment(self.now)))
        if task.kind == "task":
            captured = filled_form(task, outcome, self.ticket.known(), self.now)
            self.give(Finish(code, outcome, actor, captured, named=NAMED))
        else:
            self.give(SwitchResult(code, outcome))  # type: ignore[arg-type]

    @rule(data=st.data(), outcome=st.sampled_from(["done", "refused", "cancelled"]))
    def answer(self, data: st.DataObject, outcome: Any) -> None:
        code = data.draw(st.sampled_from([each.code for each in self.procedure.steps if each.kind == "automatic"] or self.codes()))
        if self.procedure.step(code).kind == "automatic":
            self.give(SwitchClaimed(code))
            self.give(SwitchResult(code, outcome))

    @rule(cause=st.sampled_from(["payment", "withdrawn"]))
    def cancel(self, cause: Any) -> None:
        possible = cancellable(self.procedure, self.ticket)
        self.give(Cancel(cause))
        assert (self.ticket.closed is not None) if possible else (self.ticket == self.before)

    @rule(code=st.sampled_from(["payment_confirmed", "invoice_voided", "debt_covered", "service_reconnected"]))
    def event(self, code: str) -> None:
        self.give(EventArrived(code))

    @rule(data=st.data())
    def pass_deadline(self, data: st.DataObject) -> None:
        self.give(DeadlinePassed(data.draw(st.sampled_from(self.codes())), data.draw(st.integers(1, 2))))

    @invariant()
    def open_is_not_finished(self) -> None:
        states = [self.ticket.open, self.ticket.past, self.ticket.waiting]
        assert len(frozenset.union(*states)) == sum(map(len, states))

    @invariant()
    def closed_has_nothing_open(self) -> None:
        if self.ticket.closed is None:
            return
        assert not self.ticket.open and not self.ticket.waiting
        assert sum(isinstance(each, Closed) for each in self.effects) == 1
        assert self.ticket.closed.outcome in self.procedure.outcomes

    @invariant()
    def no_step_opens_before_its_joins(self) -> None:
        opened = self.ticket.open - self.before.open
        for code in opened:
            assert self.ticket.past.issuperset(self.procedure.step(code).joins)

    @invariant()
    def what_does_not_apply_is_passed_over(self) -> None:
        for turn in self.ticket.turns:
            if turn.state is StepState.SKIPPED:
                assert self.procedure.step(turn.code).when
            if turn.code in self.ticket.open - self.before.open:
                assert all_hold(self.procedure.step(turn.code).when, self.ticket.known())

    @invariant()
    def something_is_always_to_do(self) -> None:
        assert self.ticket.closed is not None or self.ticket.open

    @invariant()
    def deadlines_are_armed_for_what_is_open_alone(self) -> None:
        armed: set[tuple[str, int]] = set()
        for each in self.effects:
            if isinstance(each, ArmDeadline):
                armed.add((each.step, each.number))
            elif isinstance(each, CancelDeadline):
                armed.remove((each.step, each.number))
        assert armed == {(t.code, t.number) for t in self.ticket.turns if t.state is StepState.OPEN and t.deadline}

    @invariant()
    def replaying_the_inputs_gives_the_same_ticket(self) -> None:
        again = self.first
        for given, at in self.inputs:
            again, _ = step(self.procedure, again, given, at, calendar())
        assert again == self.ticket


AnyOrder.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
TestAnyOrder = AnyOrder.TestCase
