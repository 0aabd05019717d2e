"""The procedure engine: what becomes of a ticket when something happens to it. One pure function, `step`.

# Note [Turns]
A loop back opens a step a second time, so a ticket keeps turns of steps. What counts is a step's last turn: it is open or finished, never
both, and a join is satisfied by last turns alone. A step that is already open or held is not opened again by a second branch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.ticketing.rules.appointments import deadline_at, mistakes_of
from services.ticketing.rules.capture import Form, comment_of, read_form
from services.ticketing.rules.refusals import (
    cannot_cancel,
    closed_already,
    no_appointment,
    no_work_order,
    not_open,
    not_theirs,
    unknown_step,
    wrong_appointment,
    wrong_form,
    wrong_outcome,
)
from services.ticketing.rules.states import StepState
from services.ticketing.rules.ticket import (
    SYSTEM,
    WORK_LEFT,
    Actor,
    ArmDeadline,
    Cancel,
    CancelDeadline,
    CancelSwitch,
    Closed,
    Closure,
    DeadlinePassed,
    Effect,
    EventArrived,
    Filled,
    FillIn,
    Finish,
    Input,
    Late,
    Open,
    OpenTask,
    Owner,
    Schedule,
    Scheduled,
    StartProcedure,
    SwitchClaimed,
    SwitchNetwork,
    SwitchResult,
    TellAgreement,
    Ticket,
    Turn,
)
from shared.calendar import BusinessCalendar
from shared.operator.conditions import all_hold
from shared.operator.procedures import Procedure
from shared.operator.steps import REQUESTER, Step

RAN_OUT = "El plazo terminó sin que nadie cerrara el paso."


def step(procedure: Procedure, ticket: Ticket, given: Input, now: datetime, calendar: BusinessCalendar) -> tuple[Ticket, list[Effect]]:
    """What the ticket becomes, and what has to follow. `now` is business time (UTC).

    Raises Refused (a rule, or the procedure itself, does not allow it) or Invalid (the form is wrong); then nothing has changed. An
    answer that comes too late to matter (a switch of a closed ticket, a deadline of a finished step) changes nothing either.
    """
    change = _Change(procedure, ticket, now, calendar)
    HANDLERS[type(given)](change, given)
    return change.ticket, change.effects


def owner_of(procedure: Procedure, ticket: Ticket, task: Step) -> Owner:
    """Whose a task is. A requester's task that no person asked for is the agent's, else the procedure's desk's."""
    if task.role != REQUESTER:
        return Owner(task.role)
    person = ticket.requester if ticket.requester != SYSTEM else ticket.agent
    return Owner(None, person) if person else Owner(procedure.desk)


def cancellable(procedure: Procedure, ticket: Ticket) -> bool:
    """May the ticket still be cancelled: nothing of `cancel.until` was ever finished, and the network has not been touched?"""
    if procedure.cancel is None or ticket.closed is not None:
        return False
    automatic = {each.code for each in procedure.steps if each.kind == "automatic"}
    past = {turn.code for turn in ticket.turns if turn.state is StepState.FINISHED}
    touched = any(turn.claimed for turn in ticket.turns) or past & automatic
    return not touched and past.isdisjoint(procedure.cancel.until)


@dataclass
class _Change:
    """A step of the engine under way: the ticket as it is by now, and the effects so far."""

    procedure: Procedure
    ticket: Ticket
    now: datetime
    calendar: BusinessCalendar
    effects: list[Effect] = field(default_factory=list)

    def begin(self, given: Open) -> None:
        if self.ticket.turns:
            raise ValueError("the ticket has begun already")
        for code in self.procedure.start:
            self._open(code)
        self._end_if_idle(None)

    def finish(self, given: Finish) -> None:
        task, turn = self._theirs(given.step, given.actor)
        if given.outcome not in task.outcomes:
            raise wrong_outcome(task, given.outcome)
        if task.work_order and given.outcome in task.work_order.appointment_for and turn.appointment is None:
            raise no_appointment(self.procedure, task)
        form = Form(task.capture, task.rule, self.calendar.today(self.now), self.ticket.known(), turn.filled)
        written = read_form(form, given.captured, given.comment, given.named, given.outcome)
        if written.missing or written.wrong:
            raise wrong_form(self.procedure, task, written.missing, written.wrong)
        said = comment_of(task, written.values, given.comment)
        self._end(turn, task, given.outcome, by=given.actor.person, captured=written.values, comment=said)

    def schedule(self, given: Schedule) -> None:
        task, turn = self._theirs(given.step, given.actor)
        if task.work_order is None:
            raise no_work_order(self.procedure, task)
        if wrong := list(mistakes_of(given.appointment, self.calendar, self.now, task.rule)):
            raise wrong_appointment(task, wrong)
        self._put(replace(turn, appointment=given.appointment))
        self.effects.append(Scheduled(turn.code, turn.number))

    def _theirs(self, code: str, actor: Actor) -> tuple[Step, Turn]:
        """An open task that is this person's to do. Raises Refused or Invalid."""
        if self.ticket.closed is not None:
            raise closed_already(self.procedure, self.ticket)
        task = next((each for each in self.procedure.steps if each.code == code), None)
        if task is None:
            raise unknown_step(self.procedure, code)
        turn = self.ticket.latest(task.code)
        if turn is None or turn.state is not StepState.OPEN or task.kind != "task":
            raise not_open(self.procedure, self.ticket, task)
        owner = owner_of(self.procedure, self.ticket, task)
        if not _is_theirs(task, owner, actor):
            raise not_theirs(self.procedure, task, owner, actor)
        return task, turn

    def fill(self, given: Filled) -> None:
        turn = self.ticket.latest(given.step)
        if turn is not None and turn.number == given.number and turn.state is StepState.OPEN:
            self._put(replace(turn, filled=given.values))

    def claim(self, given: SwitchClaimed) -> None:
        turn = self.ticket.latest(given.step)
        if turn is not None and turn.state is StepState.OPEN:
            self._put(replace(turn, claimed=True))

    def settle(self, given: SwitchResult) -> None:
        turn = self.ticket.latest(given.step)
        if turn is not None and turn.state is StepState.OPEN:
            self._end(turn, self.procedure.step(given.step), given.outcome, by=SYSTEM, captured={}, comment=given.detail)

    def arrive(self, given: EventArrived) -> None:
        known = self.ticket.known()
        close = next((each for each in self.procedure.closes_on if each.event == given.code and all_hold(each.when, known)), None)
        if self.ticket.closed is not None:
            return
        if close is not None:
            self._close(close.outcome, None)
        elif given.code == WORK_LEFT:
            self._release()
            self._end_if_idle(None)

    def cancel(self, given: Cancel) -> None:
        if not cancellable(self.procedure, self.ticket):
            raise cannot_cancel(self.procedure, self.ticket)
        assert self.procedure.cancel is not None
        self._close(self.procedure.cancel.outcome, given.comment)

    def expire(self, given: DeadlinePassed) -> None:
        turn = self.ticket.latest(given.step)
        if turn is None or turn.number != given.number or turn.state is not StepState.OPEN or turn.late:
            return
        if turn.deadline is not None and turn.deadline <= self.now:
            task, late = self.procedure.step(given.step), replace(turn, late=True)
            expiry = task.deadline.on_expiry if task.deadline else None
            self._put(late)
            self.effects.append(
                Late(turn.code, turn.number, tuple(expiry.tell), expiry.outcome) if expiry else Late(turn.code, turn.number)
            )
            if expiry is not None and expiry.outcome is not None:
                self._end(late, task, expiry.outcome, by=SYSTEM, captured={}, comment=RAN_OUT)

    def _open(self, code: str) -> None:
        """Open a step, or hold it until its joins are finished."""
        turn = self.ticket.latest(code)
        if turn is not None and turn.state in (StepState.OPEN, StepState.WAITING):
            return
        number = turn.number + 1 if turn else 1
        fresh = Turn(code, number, StepState.WAITING)
        self.ticket = replace(self.ticket, turns=(*self.ticket.turns, fresh))
        self._release()

    def _release(self) -> None:
        """Open whatever is held and has all its joins finished; what does not apply to this ticket is passed over, which may free more.
        What another ticket is doing stays held, and what it did is passed over."""
        passed = False
        for code in sorted(self.ticket.waiting):
            task, turn = self.procedure.step(code), self.ticket.latest(code)
            if turn is None or not self.ticket.past.issuperset(task.joins):
                continue
            applies = all_hold(task.when, self.ticket.known())
            other = self.ticket.elsewhere.get(task.work) if applies and task.work else None
            if applies and other is None:
                self._start(task, turn)
            elif other is not None and not other.done:
                self._put(replace(turn, comment=other.words))
            else:
                self._put(replace(turn, state=StepState.SKIPPED, finished_at=self.now, comment=other.words if other else None))
                passed = True
        if passed:
            self._release()

    def _start(self, task: Step, turn: Turn) -> None:
        known = self.ticket.known()
        deadline = deadline_at(task.deadline, self.now, self.calendar, known) if task.deadline else None
        self._put(replace(turn, state=StepState.OPEN, opened_at=self.now, deadline=deadline, comment=None))
        if deadline is not None:
            self.effects.append(ArmDeadline(task.code, turn.number, deadline))
        if any(field.fill for field in task.capture):
            self.effects.append(FillIn(task.code, turn.number))
        self.effects.append(self._begun(task, {name: known[field] for name, field in task.uses.items() if field in known}))

    def _begun(self, task: Step, uses: Mapping[str, Any]) -> Effect:
        if task.action is None:
            return OpenTask(task.code, owner_of(self.procedure, self.ticket, task))
        return TellAgreement(task.code, uses) if task.action == "agreement.tell" else SwitchNetwork(task.code, task.action, uses)

    def _end(self, turn: Turn, task: Step, outcome: str, *, by: str, captured: dict[str, Any], comment: str | None) -> None:
        """Finish a turn and follow its outcome."""
        self._put(replace(turn, state=StepState.FINISHED, finished_at=self.now, by=by, outcome=outcome, captured=captured, comment=comment))
        if turn.deadline is not None:
            self.effects.append(CancelDeadline(turn.code, turn.number))
        follows = task.outcomes[outcome]
        self.effects += [StartProcedure(code, by) for code in follows.starts]
        if follows.closes is not None:
            self._close(follows.closes, comment)
            return
        for code in follows.opens:
            self._open(code)
        self._release()
        self._end_if_idle(comment)

    def _end_if_idle(self, comment: str | None) -> None:
        if not self.ticket.open and not self.ticket.waiting and self.procedure.ends is not None:
            self._close(self.procedure.ends, comment)

    def _close(self, outcome: str, comment: str | None) -> None:
        """End the ticket; what is still open is dropped."""
        for turn in self.ticket.turns:
            if turn.state not in (StepState.OPEN, StepState.WAITING):
                continue
            self._put(replace(turn, state=StepState.DROPPED, finished_at=self.now))
            if turn.deadline is not None:
                self.effects.append(CancelDeadline(turn.code, turn.number))
            if self.procedure.step(turn.code).kind == "automatic" and turn.state is StepState.OPEN:
                self.effects.append(CancelSwitch(turn.code))
        said = comment or next((turn.comment for turn in reversed(self.ticket.turns) if turn.comment), None)
        self.ticket = replace(self.ticket, closed=Closure(outcome, self.now, said))
        self.effects.append(Closed(outcome, said))

    def _put(self, turn: Turn) -> None:
        turns = (turn if (each.code, each.number) == (turn.code, turn.number) else each for each in self.ticket.turns)
        self.ticket = replace(self.ticket, turns=tuple(turns))


def _is_theirs(task: Step, owner: Owner, actor: Actor) -> bool:
    if actor.system:
        return task.role == REQUESTER
    return actor.person == owner.person if owner.person else owner.desk in actor.desks


HANDLERS: dict[type, Callable[[_Change, Any], None]] = {
    Open: _Change.begin,
    Finish: _Change.finish,
    Filled: _Change.fill,
    Schedule: _Change.schedule,
    SwitchClaimed: _Change.claim,
    SwitchResult: _Change.settle,
    EventArrived: _Change.arrive,
    Cancel: _Change.cancel,
    DeadlinePassed: _Change.expire,
}
