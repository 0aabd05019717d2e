"""Dossiers that were asked for are read in one snapshot and printed by a process of their own, one after the other: ten years of a customer
are some seconds, in which everything else goes on."""

import asyncio
import json
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Dossier
from services.collections.operations.dossiers import JOB as NAME
from services.collections.operations.dossiers import Printed, keep_printed, note_failure
from services.collections.queries import dossiers
from services.collections.queries.dossiers import Gathered
from services.collections.rules.dossier import Subject, canonical, digest, pages_of, printed
from shared.db import execute
from shared.discretion import told
from shared.jobs import Job, JobContext
from shared.log import get_logger
from shared.operator import Operator
from shared.press import PdfFailed, print_long
from shared.transient import is_transient

log = get_logger("collections.dossiers")
TEMPLATE = "dossier.typ"


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """What waits is due."""
    return await dossiers.next_due(session)


async def run(context: JobContext) -> int:
    """Print what waits, the oldest first. Answers how many were tried."""
    done = 0
    while await _print_next(context):
        done += 1
    return done


async def _print_next(context: JobContext) -> bool:
    """Print the next one. Two workers may print the same; what is kept first is what is given out."""
    dossier_id: UUID | None = None
    try:
        async with context.database.transaction() as session:
            await execute(session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            dossier = await dossiers.claim_next(session)
            if dossier is None:
                return False
            dossier_id = dossier.id
            known = await dossiers.known_of(session, dossier.customer_id)
            subject = _subject(dossier, context.now)
        made = await print_dossier(context.operator, subject, known)
        async with context.database.transaction() as session:
            await keep_printed(session, dossier_id, made, now=context.now)
    except Exception as error:
        if dossier_id is None or is_transient(error):
            raise
        log.error("dossier could not be printed", dossier=str(dossier_id), error=told(error))
        async with context.database.transaction() as session:
            await note_failure(session, dossier_id, f"No se pudo imprimir ({type(error).__name__}).")
    return True


def _subject(dossier: Dossier, now: datetime) -> Subject:
    return Subject(dossier.id, dossier.suspension_id, dossier.requested_by, dossier.requested_at, max(now, dossier.requested_at))


async def print_dossier(operator: Operator, subject: Subject, known: Gathered) -> Printed:
    """The dossier as it is given out: the same input makes the same bytes. Raises PdfFailed.

    The archive's standard forbids a sign that no font of the operator has; with such a name the dossier is an ordinary PDF.
    """
    content, data = await asyncio.to_thread(_write, operator, subject, known)
    try:
        file = await print_long(operator, TEMPLATE, data, subject.until, "a-3b")
    except PdfFailed:
        file = await print_long(operator, TEMPLATE, data, subject.until)
    return Printed(content, digest(content), file, digest(file), pages_of(file))


def _write(operator: Operator, subject: Subject, known: Gathered) -> tuple[str, str]:
    """The canonical content, and what the template gets (a JSON text)."""
    content = canonical(operator, subject, known.customer, known.statuses, known.told)
    return content, json.dumps(printed(operator, content), ensure_ascii=False, sort_keys=True)


JOB = Job(NAME, next_due, run)
