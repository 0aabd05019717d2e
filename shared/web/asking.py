"""What a request says of itself: who sends it, its key, its parameters. And what an endpoint may ask for (`Session`, `Now`, `Actor`,
`Documents`)."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from sqlalchemy.ext.asyncio import AsyncSession

from shared.auth import REMEDY, Principal
from shared.errors import FieldError, Forbidden, Invalid, Problem, Unauthorized, nearest
from shared.idempotency import HEADER
from shared.operator import Operator
from shared.operator.permissions import PERMISSIONS
from shared.service import Runtime

ACTOR = "reconecta.actor"  # where a request's scope holds who sent it
KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": True,
    "description": "Una clave por solicitud: repetida, se contesta lo mismo y nada ocurre dos veces.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


class MissingKey(Problem):
    """A POST without the key that makes it happen once."""

    status, slug, title = 400, "falta-idempotency-key", "Falta la cabecera Idempotency-Key"


def runtime_of(request: Request) -> Runtime:
    """The service that answers this request."""
    found: Runtime = request.app.state.runtime
    return found


def principal_of(request: Request) -> Principal:
    """Whoever sent the request, by its token. Raises Unauthorized."""
    actor: Principal | None = request.scope.get(ACTOR)
    if actor is None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Falta la cabecera Authorization.", remedy=REMEDY)
        actor = request.scope[ACTOR] = request.app.state.verifier.principal(token.strip())
    assert isinstance(actor, Principal)
    return actor


async def business_time(request: Request) -> datetime:
    """The instant at which the request is carried out (UTC), the same however often it is asked for."""
    if not hasattr(request.state, "now"):
        request.state.now = await runtime_of(request).clock.now()
    found: datetime = request.state.now
    return found


async def _actor(request: Request) -> Principal:
    return principal_of(request)


async def _session(request: Request) -> AsyncSession:
    found: AsyncSession = request.state.session
    return found


async def _documents(request: Request) -> Operator:
    found: Operator = request.app.state.operator
    return found


# None of these is a plain function: the framework would send it to a thread, three times the price of everything else here.
Session = Annotated[AsyncSession, Depends(_session)]  # one transaction, committed before the response
Now = Annotated[datetime, Depends(business_time)]  # business time, UTC
Actor = Annotated[Principal, Depends(_actor)]
Documents = Annotated[Operator, Depends(_documents)]


def permits(actor: Principal, documents: Operator, permission: str) -> None:
    """Raise Forbidden unless one of the actor's desks has the permission (operator.yaml, `permissions`)."""
    if not documents.may(actor.desks, permission):
        desks = ", ".join(documents.desk_names(actor.desks)) or "sin escritorio"
        raise Forbidden(
            f"{actor.name} ({desks}) no puede {PERMISSIONS[permission]}.",
            remedy=f"Pueden: {documents.desks_with(permission)}. Se decide en operator.yaml, «{permission}».",
        )


def refuse_nul(request: Request) -> None:
    """Raise Invalid for a path or query with a NUL: no database could look for it."""
    if not request.path_params and not request.scope["query_string"]:
        return
    names = [name for name, value in (*request.path_params.items(), *request.query_params.multi_items()) if "\x00" in f"{name}{value}"]
    if names:
        errors = [FieldError(field=each.replace("\x00", ""), message="contiene un carácter nulo") for each in names]
        raise Invalid("La dirección contiene un carácter nulo.", errors=errors, remedy="Quite «%00» de la dirección.")


async def refuse_unknown(request: Request) -> None:
    """Raise Invalid for a query parameter that the route does not have: an ignored filter would answer something else than was asked.

    A dependency of the whole app, so that it holds for every route."""
    if not request.query_params:
        return
    known = sorted(_query_parameters(request.scope["route"].dependant))
    unknown = [each for each in dict.fromkeys(request.query_params) if each not in known]
    if unknown:
        there_are = f"Los parámetros de esta ruta son: {', '.join(known)}." if known else "Esta ruta no tiene parámetros: quítelos."
        errors = [FieldError(field=each, message=f"este parámetro no existe aquí{nearest(each, known)}") for each in unknown]
        raise Invalid(f"Corrija: {', '.join(unknown)}.", errors=errors, remedy=there_are)


def _query_parameters(dependant: Dependant) -> set[str]:
    return {each.alias for each in dependant.query_params}.union(*map(_query_parameters, dependant.dependencies))


def require_key(request: Request) -> str:
    """The request's Idempotency-Key. Raises MissingKey (400) or Invalid."""
    key = request.headers.get(HEADER)
    if not key:
        raise MissingKey(
            "Cada POST lleva una clave propia, para que repetirlo no haga nada dos veces.", remedy=f"Agregue {HEADER}: <UUID>."
        )
    if len(key) > 200:
        raise Invalid("La clave es demasiado larga.", errors=[FieldError(field=HEADER, message="a lo sumo 200 caracteres")])
    return key
