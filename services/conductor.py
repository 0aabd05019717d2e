"""The test clock over HTTP: `POST /simulation/clock`, served beside the services and never by one of them."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.errors import Conflict, FieldError, Invalid
from shared.simulation import Conductor, SimulationStuck
from shared.web import Actor, Documents, permits
from shared.web.commands import LimitedRoute


class ClockMove(BaseModel):
    """Where business time shall be. Needs an offset; a naive instant is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"advance_to": "2026-03-28T00:00:00-06:00"}]})
    advance_to: AwareDatetime


class ClockAnswer(BaseModel):
    """Business time after the move (UTC), and at how many due instants it stopped."""

    now: datetime
    stops: int


def clock_router(conductor: Conductor) -> APIRouter:
    """Routes that move this conductor's services."""
    router = APIRouter(prefix="/simulation", tags=["simulation"], route_class=LimitedRoute)

    @router.post("/clock")
    async def advance(body: ClockMove, actor: Actor, documents: Documents) -> ClockAnswer:
        """Let business time pass; answers when every job, timer and event due until then has been handled in order."""
        permits(actor, documents, "simulation.clock")
        try:
            stops = await conductor.advance(body.advance_to)
        except ValueError:
            raise Invalid(
                "El reloj no retrocede.", errors=[FieldError(field="advance_to", message="ya pasó: indique un instante posterior")]
            ) from None
        except SimulationStuck as stuck:
            raise Conflict(f"Algo sigue en curso y no termina: {stuck}", remedy="Revise el registro del servicio nombrado.") from stuck
        return ClockAnswer(now=body.advance_to, stops=stops)

    @router.get("/clock")
    async def current(actor: Actor) -> ClockAnswer:
        """Business time now."""
        states = await conductor.settle()
        return ClockAnswer(now=max(state.now for state in states), stops=0)

    return router
