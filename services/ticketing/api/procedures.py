"""The operator's procedures over HTTP."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel

from shared.errors import NotFound, nearest
from shared.operator import Procedure
from shared.web import Actor, Arranging, Documents, arranged_whole, command_router, permits
from shared.web.shapes import example

router = command_router(tags=["procedures"])
PROCEDURES = Arranging("code", "version", "kind", "name", "desk")
ProcedureCode = Annotated[str, Path(max_length=60)]


class ProcedureShown(BaseModel):
    """A procedure that tickets may follow, as its file has it."""

    model_config = example(
        code="suspendido_cliente_vip",
        version=1,
        kind="SUSPENDIDO CLIENTE VIP",
        name="Suspensión de un cliente VIP, servicio entregado por terceros",
        rules=["VIP-14", "VIP-15"],
        desk="ingenieria",
        steps=["confirmar", "completar", "suspender"],
        outcomes={"suspended": "Servicio suspendido", "refused": "No se pudo suspender", "cancelled": "Suspensión cancelada"},
    )
    code: str
    version: int
    kind: str
    name: str
    rules: list[str]
    desk: str
    steps: list[str]
    outcomes: dict[str, str]


@router.get("/procedures")
async def read_procedures(
    actor: Actor, documents: Documents, sort: Annotated[str | None, arranged_whole(PROCEDURES)]
) -> list[ProcedureShown]:
    """Lista los procedimientos del operador."""
    permits(actor, documents, "ticketing.read")
    return PROCEDURES.arrange([_shown(documents.procedures[code]) for code in sorted(documents.procedures)], sort)


@router.get("/procedures/{code}")
async def read_procedure(code: ProcedureCode, actor: Actor, documents: Documents) -> Procedure:
    """Muestra un procedimiento entero: pasos, campos, plazos y resultados."""
    permits(actor, documents, "ticketing.read")
    return find_procedure(documents, code)


def find_procedure(documents: Documents, code: str) -> Procedure:
    """A procedure of the operator. Raises NotFound."""
    found = documents.procedures.get(code)
    if found is None:
        raise NotFound(f"No existe el procedimiento «{code}»{nearest(code, documents.procedures)}.")
    return found


def _shown(procedure: Procedure) -> ProcedureShown:
    known = procedure.model_dump(include=set(ProcedureShown.model_fields) - {"steps"})
    return ProcedureShown(**known, steps=[each.code for each in procedure.steps])
