"""Steps under a condition, deadlines that run out, work orders: what the engine makes of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from pydantic import ValidationError

from services.ticketing.rules.appointments import Appointment
from services.ticketing.rules.engine import step
from services.ticketing.rules.facts import covers
from services.ticketing.rules.sharing import Elsewhere
from services.ticketing.rules.states import StepState
from services.ticketing.rules.ticket import (
    SYSTEM,
    WORK_LEFT,
    Actor,
    DeadlinePassed,
    Effect,
    EventArrived,
    Finish,
    Input,
    Late,
    Open,
    OpenTask,
    Schedule,
    Scheduled,
    Ticket,
)
from shared.calendar import BusinessCalendar
from shared.errors import Invalid, Refused
from shared.operator import Procedure
from tests.support.rules import rule
from tests.support.service import operator

NOW = datetime(2026, 10, 5, 15, 0, tzinfo=UTC)  # Monday of the Semana Morazánica: Wednesday to Friday nobody works
RECOVERIES = Actor("rosa.caceres", frozenset({"recuperaciones"}))
SALES = Actor("sofia.mejia", frozenset({"ventas"}))
OWN, THIRD, BOTH = ["own"], ["third_party"], ["own", "third_party"]
PIECES = [{"code": "ONT-01", "description": "Router óptico", "serial": "SN1", "condition": "bueno"}]
SIGNED = {"equipos": PIECES, "firma": {"name": "Julia Paz", "identity": "0501-1980-01234"}}


def play(code: str | Procedure, *inputs: Input, facts: dict[str, Any], at: Sequence[datetime] = ()) -> tuple[Ticket, list[Effect]]:
    """The ticket after these inputs, each at its instant (the first's unless more are given), and the effects of the last one."""
    procedure = operator().procedures[code] if isinstance(code, str) else code
    ticket, effects = Ticket(SYSTEM, "ana.martinez", facts), list[Effect]()
    for number, given in enumerate(inputs):
        now = at[number] if number < len(at) else NOW
        ticket, effects = step(procedure, ticket, given, now, BusinessCalendar(operator()))
    return ticket, effects


@rule("VIP-17")
@pytest.mark.parametrize(
    ("delivery", "works"),
    [
        (OWN, {"desinstalar", "caso_legal"}),
        (THIRD, {"documentar_capacidad", "mover_capacidad", "caso_legal"}),
        (BOTH, {"desinstalar", "documentar_capacidad", "mover_capacidad", "caso_legal"}),
    ],
)
def test_what_work_there_is_depends_on_the_delivery(delivery: list[str], works: set[str]) -> None:
    ticket, _ = play("retiro_servicio_vip", Open(), facts={"delivery": delivery})
    assert ticket.open == works
    skipped = {turn.code for turn in ticket.turns if turn.state is StepState.SKIPPED}
    assert skipped == {"desinstalar", "documentar_capacidad", "mover_capacidad", "caso_legal"} - works
    for code in skipped:
        with pytest.raises(Refused, match="no corresponde a este caso"):
            play("retiro_servicio_vip", Open(), Finish(code, "done", RECOVERIES), facts={"delivery": delivery})


@rule("VIP-17")
def test_the_case_closes_when_all_its_pieces_of_work_do_in_any_order() -> None:
    legal = Finish("caso_legal", "done", Actor("ana.martinez", frozenset({"cobros"})), {"expediente": "Archivo 12", "comentario": "Listo"})
    capacity = Finish("documentar_capacidad", "done", Actor("o", frozenset({"ingenieria"})), {"capacidad": "20 Mbps", "zona": "Norte"})
    moved = Finish("mover_capacidad", "done", Actor("d", frozenset({"director_proyectos"})), {"tramite": "Enviado"})
    for order in ((legal, capacity, moved), (moved, legal, capacity), (capacity, moved, legal)):
        almost, _ = play("retiro_servicio_vip", Open(), *order[:2], facts={"delivery": THIRD})
        assert almost.closed is None
        done, _ = play("retiro_servicio_vip", Open(), *order, facts={"delivery": THIRD})
        assert done.closed is not None
        assert done.closed.outcome == "closed"


@rule("VIP-16", "VIP-17")
def test_who_pays_ends_the_recovery_and_who_leaves_does_not() -> None:
    for event in ("debt_covered", "service_reconnected"):
        paid, _ = play("retiro_servicio_vip", Open(), EventArrived(event), facts={"delivery": OWN, "cause": "unpaid"})
        assert paid.closed is not None
        assert paid.closed.outcome == "paid"
        leaving, _ = play("retiro_servicio_vip", Open(), EventArrived(event), facts={"delivery": OWN})
        assert leaving.closed is None


@rule("VIP-18")
def test_sales_has_three_business_days_and_then_the_case_goes_on_by_itself() -> None:
    known = {"delivery": THIRD}
    ticket, _ = play("equipos_apagados_vip", Open(), facts=known)
    due = ticket.latest("recuperar_terceros")
    assert due is not None
    assert due.deadline == datetime(2026, 10, 14, 6, 0, tzinfo=UTC)  # Tuesday, then Monday 12 and Tuesday 13: the holidays do not count
    late, effects = play("equipos_apagados_vip", Open(), DeadlinePassed("recuperar_terceros", 1), facts=known, at=[NOW, due.deadline])
    assert effects[0] == Late("recuperar_terceros", 1, ("gerente_ventas",), "lost")
    assert late.open == {"desinstalar_terceros", "migrar", "reubicar"}
    sales, field = late.latest("recuperar_terceros"), late.latest("desinstalar_terceros")
    assert sales is not None
    assert (sales.by, sales.outcome, sales.late) == (SYSTEM, "lost", True)
    assert field is not None
    assert field.deadline == datetime(2026, 10, 22, 6, 0, tzinfo=UTC)  # five business days after Wednesday 14


@rule("VIP-18")
def test_recoveries_days_run_out_without_pretending_that_the_work_is_done() -> None:
    known, at = {"delivery": THIRD}, [NOW, NOW, datetime(2026, 10, 19, 6, 0, tzinfo=UTC)]
    lost = Finish("recuperar_terceros", "lost", SALES, {"informe": "No contesta."})
    ticket, effects = play("equipos_apagados_vip", Open(), lost, DeadlinePassed("desinstalar_terceros", 1), facts=known, at=at)
    assert effects == [Late("desinstalar_terceros", 1, ("gerente_cobros",), None)]
    assert "desinstalar_terceros" in ticket.open


@rule("VIP-19")
def test_own_infrastructure_has_no_deadlines_and_no_bandwidth_to_move() -> None:
    known = {"delivery": OWN}
    lost = Finish("recuperar_propio", "lost", SALES, {"informe": "Cerró el negocio."})
    ticket, _ = play("equipos_apagados_vip", Open(), lost, facts=known)
    assert ticket.open == {"desinstalar_propio"}
    assert [turn.deadline for turn in ticket.turns] == [None] * len(ticket.turns)


@rule("VIP-17", "VIP-18")
def test_what_another_ticket_does_is_held_then_passed_over_or_opened() -> None:
    procedure, now, calendar = operator().procedures["retiro_servicio_vip"], NOW, BusinessCalendar(operator())
    fresh = Ticket(SYSTEM, "ana.martinez", {"delivery": OWN}, elsewhere={"desinstalacion": Elsewhere(7)})
    held, _ = step(procedure, fresh, Open(), now, calendar)
    assert (set(held.open), set(held.waiting)) == ({"caso_legal"}, {"desinstalar"})
    with pytest.raises(Refused, match=r"ya está abierto en el ticket n\.º 7"):
        step(procedure, held, Finish("desinstalar", "done", RECOVERIES, SIGNED), now, calendar)

    freed, effects = step(procedure, replace(held, elsewhere={}), EventArrived(WORK_LEFT), now, calendar)
    assert freed.open == {"caso_legal", "desinstalar"}
    assert any(isinstance(each, OpenTask) and each.step == "desinstalar" for each in effects)

    over = replace(held, elsewhere={"desinstalacion": Elsewhere(7, done=True), "caso_legal": Elsewhere(7)})
    passed, _ = step(procedure, over, EventArrived(WORK_LEFT), now, calendar)
    skipped = passed.latest("desinstalar")
    assert skipped is not None
    assert (skipped.state, skipped.comment) == (StepState.SKIPPED, "Este trabajo ya se hizo en el ticket n.º 7.")
    assert passed.open == {"caso_legal"}, "what is open here is not taken away"
    all_done = {work: Elsewhere(7, done=True) for work in ("desinstalacion", "caso_legal")}
    nothing, _ = step(procedure, replace(fresh, elsewhere=all_done), Open(), now, calendar)
    assert nothing.closed is not None


def test_a_ticket_is_about_what_another_is_about_or_not() -> None:
    way = {"name": "delivery", "kind": "choice"}
    own, third, both = ({**way, "value": value} for value in (OWN, THIRD, BOTH))
    line, tower = ({"name": "servicio", "kind": "service", "value": {"id": each, "label": each}} for each in ("a", "b"))
    two, one = frozenset({"a", "b"}), frozenset({"a"})
    assert covers([both], [own], two)
    assert not covers([third], [both], two)
    assert covers([own], [own, line], two)
    assert covers([own, line], [own, line], two)
    assert not covers([own, line], [own], two)
    assert not covers([own, line], [own, tower], two)
    assert covers([own, line], [own], one), "who names the only service means all of them"


def test_work_that_is_shared_wants_a_procedure_that_can_end_without_it() -> None:
    over = {"label": "Listo", "closes": "closed"}
    shared = task("a", {"done": over}, work="retiro")
    switch: dict[str, Any] = {"code": "b", "name": "Red", "kind": "automatic", "action": "network.suspend"}
    switch["outcomes"] = dict.fromkeys(("done", "refused", "cancelled"), over)
    document = made(shared).model_dump(by_alias=True, exclude_none=True)
    with pytest.raises(ValidationError, match="no se cerraría: indique `ends`"):
        Procedure.model_validate({**document, "ends": None})
    with pytest.raises(ValidationError, match="un procedimiento que suspende o reconecta no espera a otros"):
        Procedure.model_validate({**document, "start": ["a", "b"], "steps": [shared, switch]})
    with pytest.raises(ValidationError, match="`work` es de los pasos `task`"):
        Procedure.model_validate({**document, "start": ["b"], "steps": [{**switch, "work": "retiro"}]})


def test_who_joins_a_step_that_is_passed_over_does_not_wait_for_it() -> None:
    procedure = made(
        task("a", {"done": {"label": "Listo", "opens": ["b", "c"]}}, capture=[{"name": "fibra", "label": "Fibra", "kind": "yes_no"}]),
        task("b", {"done": {"label": "Listo"}}, when={"fibra": "true"}),
        task("c", {"done": {"label": "Listo"}}, joins=["b"]),
    )
    anybody = Actor("ana.martinez", frozenset({"cobros"}))
    without, _ = play(procedure, Open(), Finish("a", "done", anybody, {"fibra": False}), facts={})
    assert without.open == {"c"}
    with_it, _ = play(procedure, Open(), Finish("a", "done", anybody, {"fibra": True}), facts={})
    assert with_it.open == {"b"}
    assert with_it.waiting == {"c"}


def test_a_ticket_for_which_nothing_is_to_do_is_over_at_once() -> None:
    procedure = made(task("a", {"done": {"label": "Listo"}}, when={"delivery": "own"}))
    ticket, _ = play(procedure, Open(), facts={"delivery": THIRD})
    assert ticket.closed is not None


def appointment(day: date, opens: int = 9, closes: int = 11) -> Schedule:
    return Schedule("desinstalar", RECOVERIES, Appointment(day, time(opens), time(closes), "Wilmer Antúnez", "rosa.caceres", NOW))


@rule("VIP-17")
def test_a_work_order_is_scheduled_on_a_business_day_and_signed() -> None:
    known = {"delivery": OWN}
    finish = Finish("desinstalar", "done", RECOVERIES, SIGNED)
    with pytest.raises(Refused, match="falta la cita con el cliente"):
        play("retiro_servicio_vip", Open(), finish, facts=known)
    with pytest.raises(Refused, match="corresponde a recuperaciones"):
        play("retiro_servicio_vip", Open(), replace(appointment(date(2026, 10, 6)), actor=SALES), facts=known)
    legal = Schedule("caso_legal", Actor("ana.martinez", frozenset({"cobros"})), appointment(date(2026, 10, 6)).appointment)
    with pytest.raises(Refused, match="no es una orden de trabajo"):
        play("retiro_servicio_vip", Open(), legal, facts=known)
    _, effects = play("retiro_servicio_vip", Open(), appointment(date(2026, 10, 6)), facts=known)
    assert effects == [Scheduled("desinstalar", 1)]
    again, _ = play("retiro_servicio_vip", Open(), appointment(date(2026, 10, 6)), appointment(date(2026, 10, 12), 14, 16), facts=known)
    turn = again.latest("desinstalar")
    assert turn is not None
    assert turn.appointment is not None
    assert turn.appointment.day == date(2026, 10, 12)
    done, _ = play("retiro_servicio_vip", Open(), appointment(date(2026, 10, 6)), finish, facts=known)
    assert done.finished == {"desinstalar"}
    kept = done.latest("desinstalar")
    assert kept is not None
    assert kept.captured["equipos"] == [{**PIECES[0], "quantity": "1"}]
    impossible, _ = play(
        "retiro_servicio_vip", Open(), Finish("desinstalar", "impossible", RECOVERIES, {"motivo": "No abren."}), facts=known
    )
    assert impossible.finished == {"desinstalar"}


@pytest.mark.parametrize(
    ("made_for", "field", "says"),
    [
        (appointment(date(2026, 10, 7)), "day", "no se trabaja ese día"),
        (appointment(date(2026, 10, 10)), "day", "no se trabaja ese día"),
        (appointment(date(2026, 10, 5), 8, 9), "day", "esa cita ya pasó"),
        (appointment(date(2026, 10, 6), 11, 9), "closes", "después de `opens`"),
        (appointment(date(2026, 10, 6), 7, 9), "opens", "08:00 a 17:00"),
        (appointment(date(2026, 10, 6), 16, 18), "opens", "08:00 a 17:00"),
    ],
)
def test_an_appointment_that_cannot_be_kept(made_for: Schedule, field: str, says: str) -> None:
    with pytest.raises(Invalid) as problem:
        play("retiro_servicio_vip", Open(), made_for, facts={"delivery": OWN})
    assert [(each.field, says in each.message) for each in problem.value.errors] == [(field, True)]


@pytest.mark.parametrize(
    ("captured", "says"),
    [
        ({**SIGNED, "equipos": []}, "la lista está vacía"),
        ({**SIGNED, "equipos": "uno"}, "debe ser una lista de piezas"),
        ({**SIGNED, "equipos": [{"code": "A"}]}, "pieza 1: falta description"),
        ({**SIGNED, "equipos": [{**PIECES[0], "condition": "roto"}]}, "`condition` debe ser uno de: bueno, dañado"),
        ({**SIGNED, "equipos": [{**PIECES[0], "quantity": "0"}]}, "la cantidad debe ser un número mayor que cero"),
        ({**SIGNED, "equipos": [{**PIECES[0], "quantity": "NaN"}]}, "la cantidad debe ser un número mayor que cero"),
        ({**SIGNED, "equipos": [{**PIECES[0], "precio": "5"}]}, "no se conoce precio"),
        ({**SIGNED, "firma": {"name": " "}}, "firma: falta name"),
        ({**SIGNED, "firma": {"name": "Julia", "signed_at": "2026-10-06T10:30"}}, "es un instante con su zona"),
        ({**SIGNED, "firma": "Julia"}, "debe decir quién firmó"),
    ],
)
def test_what_is_written_at_the_customers_is_checked(captured: dict[str, Any], says: str) -> None:
    inputs = (Open(), appointment(date(2026, 10, 6)), Finish("desinstalar", "done", RECOVERIES, captured))
    with pytest.raises(Invalid) as problem:
        play("retiro_servicio_vip", *inputs, facts={"delivery": OWN})
    assert [says in each.message for each in problem.value.errors] == [True], problem.value.errors


def task(code: str, outcomes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"code": code, "name": f"Paso {code}", "kind": "task", "role": "cobros", "outcomes": outcomes, **more}


def made(*steps: dict[str, Any]) -> Procedure:
    head = {"code": "prueba", "version": 1, "kind": "PRUEBA", "name": "Prueba", "rules": ["VIP-17"], "desk": "cobros", "ends": "closed"}
    return Procedure.model_validate({**head, "start": [steps[0]["code"]], "steps": list(steps), "outcomes": {"closed": "Terminado"}})
