"""«Simular el corte»: what the policy would do on a day to come, a manager's approval of it, and how it differs from what was done."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field

from services.collections.api.access import APPROVALS, PORTFOLIOS, SIMULATIONS, agent_listed
from services.collections.api.inputs import Day
from services.collections.api.simulated import (
    ApprovalView,
    DifferencePage,
    SimulationView,
    StepShown,
    show_difference,
    show_simulation,
    show_step,
)
from services.collections.api.views import money_view
from services.collections.operations import simulating
from services.collections.queries import simulations as queries
from services.collections.rules.states import StepKind
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.shapes import example

router = command_router(tags=["simular el corte"])


class SimulationInput(Input):
    """Which day, and of which policy (none: all)."""

    day: Day
    policy: Annotated[str, Field(max_length=60)] | None = None

    model_config = example(day="2026-03-28", policy="residencial")


class ApprovalInput(Input):
    """Whom to leave out of what was shown."""

    without: list[UUID] = Field(default=[], max_length=5000)

    model_config = example(without=[])


@router.post("/cut-simulations", status_code=202)
async def ask_simulation(
    body: SimulationInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> SimulationView:
    """Work out in the background what the policy would do on a day if nothing else happened; look at it until it is DONE."""
    permits(actor, documents, SIMULATIONS)
    made = await simulating.ask(session, day=body.day, policy=body.policy, actor=actor, operator=documents, now=now)
    response.headers["Location"] = f"/collections/cut-simulations/{made.id}"
    return show_simulation(made, documents)


@router.get("/cut-simulations")
async def list_simulations(
    session: Session,
    order: Annotated[Order, sorted_by(queries.SIMULATIONS)],
    actor: Actor,
    documents: Documents,
    day: Annotated[Day | None, Query(description="solo de este día")] = None,
) -> Page[SimulationView]:
    """The simulations, the latest first."""
    permits(actor, documents, SIMULATIONS)
    return page(await queries.find_simulations(session, order, day=day), order, show=lambda each: show_simulation(each, documents))


@router.get("/cut-simulations/{simulation_id}")
async def get_simulation(simulation_id: UUID, session: Session, actor: Actor, documents: Documents) -> SimulationView:
    """How far a simulation is, and once it is DONE what it comes to."""
    permits(actor, documents, SIMULATIONS)
    return show_simulation(await queries.get_simulation(session, simulation_id), documents)


@router.get("/cut-simulations/{simulation_id}/steps")
async def list_steps(
    simulation_id: UUID,
    session: Session,
    order: Annotated[Order, sorted_by(queries.STEPS)],
    now: Now,
    actor: Actor,
    documents: Documents,
    kind: Annotated[StepKind, Query(description="avisos, cortes, lo que un gestor podría hacer, o lo excluido")] = StepKind.CUT,
    policy: Annotated[str | None, Query(max_length=60)] = None,
    agent: Annotated[str | None, Query(max_length=60, description="gestor; solo la gerencia puede pedir el de otro")] = None,
) -> Page[StepShown]:
    """Who would be reminded, told or cut, at what hour, why, with which mails; who is excluded, by whom and until when. An agent sees its
    own customers."""
    permits(actor, documents, SIMULATIONS)
    shown = await agent_listed(session, actor, documents, agent, now)
    await queries.get_simulation(session, simulation_id)
    found = await queries.steps(session, simulation_id, order, kind=kind, agent=shown, policy=policy)
    return page(found, order, show=lambda each: show_step(each, documents))


@router.post("/cut-simulations/{simulation_id}/approval", status_code=201)
async def approve_simulation(
    simulation_id: UUID, body: ApprovalInput, session: Session, now: Now, actor: Actor, documents: Documents
) -> ApprovalView:
    """Let the system cut on that day whom the simulation shows, in the policy's order and up to its daily cap (COB-2)."""
    permits(actor, documents, APPROVALS)
    approved = await simulating.approve(
        session, simulation_id=simulation_id, without=body.without, actor=actor, operator=documents, now=now
    )
    found = await queries.get_simulation(session, simulation_id)
    return ApprovalView(simulation_id=found.id, day=found.day, approved=approved, approved_by=actor.person, approved_at=now)


@router.get("/cut-simulations/{simulation_id}/difference")
async def get_difference(
    simulation_id: UUID,
    session: Session,
    order: Annotated[Order, sorted_by(queries.DIFFERENCE)],
    now: Now,
    actor: Actor,
    documents: Documents,
    kind: Annotated[Literal["CUT", "NOTICE"], Query(description="suspensiones o avisos")] = "CUT",
    which: Annotated[
        Literal["missed", "done", "unexpected"], Query(description="lo que no se hizo, lo que se hizo, o los cortes que no se mostraron")
    ] = "missed",
) -> DifferencePage:
    """What was shown against what was done on that day, with why: who paid meanwhile, a hold, the daily cap, another rule."""
    permits(actor, documents, PORTFOLIOS)
    simulation, shown = await queries.get_simulation(session, simulation_id), StepKind(kind)
    figures = await queries.compared(session, documents, simulation, shown)
    found = await queries.differences(session, documents, simulation, order, which=which, kind=shown, now=now)
    made = page(found, order, show=lambda each: show_difference(each, documents))
    missed = money_view(documents, figures.missed_amount, documents.currency)
    return DifferencePage(items=made.items, next=made.next, shown=figures.shown, done=figures.done, missed_amount=missed)
