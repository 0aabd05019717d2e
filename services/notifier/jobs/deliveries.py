"""Mails that are due go out: claimed in small batches, one connection for a batch, each outcome kept before the next mail is sent."""

import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.adapters import Carrier, Line
from services.notifier.adapters.mails import mail_of
from services.notifier.operations import deliveries
from services.notifier.operations.deliveries import Claimed
from services.notifier.queries import next_attempt, printable_invoice
from services.notifier.rules.states import Kind, Outcome
from shared.db import new_id
from shared.log import get_logger
from shared.pdf import PdfFailed
from shared.worker import Job, JobContext

log = get_logger("notifier.deliveries")
BATCH = 25


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When the next delivery is tried; one under way counts as due."""
    return await next_attempt(session, context.now)


async def run(context: JobContext) -> int:
    """Try one batch of what is due. Answers how many it tried."""
    holder, began = str(new_id()), time.monotonic()
    async with context.database.transaction() as session:
        claimed = await deliveries.claim_deliveries(session, holder=holder, now=context.now, limit=BATCH)
        wanted = {each.message.attached_invoice_id for each in claimed if each.message.attached_invoice_id}
        invoices = {invoice_id: await printable_invoice(session, invoice_id) for invoice_id in wanted}
    if not claimed:
        return 0
    carrier: Carrier = context.resources["mail"]
    async with carrier.open() as line:
        for each in claimed:
            async with context.database.transaction() as session:
                await deliveries.renew_claims(session, holder=holder)
            outcome = await _try(context, line, each, invoices)
            async with context.database.transaction() as session:
                kept = await deliveries.record_outcome(
                    session, delivery_id=each.delivery.id, holder=holder, outcome=outcome, now=_instant(context, began)
                )
            if not kept:
                log.warning("delivery taken over", delivery=str(each.delivery.id))
                break
    return len(claimed)


async def _try(context: JobContext, line: Line, claimed: Claimed, invoices: dict[UUID, dict[str, Any] | None]) -> Outcome:
    """Write the mail and send it. A mail that cannot be written fails with the reason."""
    message, delivery = claimed.message, claimed.delivery
    if delivery.address is None:
        return Outcome(Kind.PERMANENT, None, "No hay dirección a la que enviar.")
    invoice = invoices.get(message.attached_invoice_id) if message.attached_invoice_id else None
    try:
        mail = await mail_of(context.operator, message, delivery, invoice)
    except (PdfFailed, ValueError) as error:
        log.error("mail cannot be written", message=str(message.id), error=str(error)[:300])
        return Outcome(Kind.PERMANENT, None, f"No se pudo escribir el correo: {error}")
    outcome = await line.send(mail, sender=context.operator.mail_from, recipient=delivery.address)
    if outcome.kind is not Kind.ACCEPTED:
        log.warning("mail not accepted", delivery=str(delivery.id), outcome=outcome.kind, code=outcome.code, detail=outcome.detail[:300])
    return outcome


def _instant(context: JobContext, began: float) -> datetime:
    """Business time as it is after some mails: on the real clock a slow server must not make acceptances look earlier than they were."""
    if context.settings.clock == "simulated":
        return context.now
    return context.now + timedelta(seconds=time.monotonic() - began)


JOB = Job("deliveries", next_due, run)
