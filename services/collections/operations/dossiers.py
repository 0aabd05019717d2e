"""Legal dossiers: asked for, printed by a job, and kept exactly as they are given out."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Dossier, Suspension
from services.collections.queries.accounts import get_account
from services.collections.rules.states import DossierState
from shared.auth import Principal
from shared.db import lock, new_id, ring
from shared.errors import FieldError, Invalid

JOB = "dossiers"
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Printed:
    """A dossier on paper: its canonical content, the PDF, both with their SHA-256, and how many pages it has."""

    content: str
    content_sha256: str
    file: bytes
    file_sha256: str
    pages: int


async def request_dossier(
    session: AsyncSession, *, customer_id: UUID, suspension_id: UUID | None, actor: Principal, now: datetime
) -> Dossier:
    """Have a dossier printed of everything that is known of the customer, about one of its suspensions if it is named. Raises NotFound,
    and Invalid for a suspension of somebody else."""
    await get_account(session, customer_id)
    if suspension_id is not None:
        order = await session.get(Suspension, suspension_id)
        if order is None or order.account_id != customer_id:
            error = FieldError(field="suspension_id", message="el cliente no tiene esta suspensión")
            raise Invalid("El caso no es de este cliente.", errors=[error], remedy="Déjelo vacío: el expediente cuenta toda la historia.")
    made = Dossier(id=new_id(), customer_id=customer_id, suspension_id=suspension_id, requested_by=actor.person, requested_at=now)
    session.add(made)
    ring(session, JOB)
    return made


async def keep_printed(session: AsyncSession, dossier_id: UUID, printed: Printed, *, now: datetime) -> None:
    """From now on this is what was given out. Nothing happens when another worker was faster."""
    dossier = await lock(session, Dossier, dossier_id)
    if dossier.state != DossierState.QUEUED:
        return
    dossier.state, dossier.ready_at, dossier.failure = DossierState.READY, now, None
    dossier.content, dossier.content_sha256 = printed.content, printed.content_sha256
    dossier.file, dossier.file_sha256, dossier.pages = printed.file, printed.file_sha256, printed.pages


async def note_failure(session: AsyncSession, dossier_id: UUID, failure: str) -> None:
    """It could not be printed; after MAX_ATTEMPTS nobody tries again."""
    dossier = await lock(session, Dossier, dossier_id)
    dossier.attempts += 1
    dossier.failure = failure
    if dossier.attempts >= MAX_ATTEMPTS and dossier.state == DossierState.QUEUED:
        dossier.state = DossierState.FAILED
