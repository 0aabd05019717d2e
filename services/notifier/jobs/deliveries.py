"""Mails that are due go out: claimed in small batches, one connection for a batch.

Each outcome is kept before the next mail is sent, unless the carrier is repeatable: then a batch is kept at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.adapters import Carrier, Line
from services.notifier.adapters.mails import mail_of, print_invoice
from services.notifier.models import Message
from services.notifier.operations.deliveries import Claimed, Try, claim_deliveries, record_outcomes, renew_claims
from services.notifier.queries import next_attempt, printable_invoices
from services.notifier.rules.mime import Attachment
from services.notifier.rules.states import Kind, Outcome
from shared.db import new_id
from shared.discretion import told
from shared.jobs import Job, JobContext
from shared.lease import prolonged
from shared.log import get_logger
from shared.loop import give_way
from shared.press import NotPrinted, PdfFailed

log = get_logger("notifier.deliveries")
BATCH = 25


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When the next delivery is tried; one under way counts as due."""
    return await next_attempt(session, context.now)


async def run(context: JobContext) -> int:
    """Try one batch of what is due. Answers how many it tried."""
    batch = Batch(context, holder=str(new_id()))
    claimed = await batch.claim()
    if not claimed:
        return 0
    carrier: Carrier = context.resources["mail"]
    async with prolonged(batch.renew), carrier.open() as line:
        for each in claimed:
            await give_way()  # a mail is put together before it is sent
            batch.tries.append(Try(each.delivery.id, await batch.send(line, each), context.instant()))
            if not carrier.repeatable and not await batch.record():
                break
    await batch.record()
    return len(claimed)


@dataclass
class Batch:
    """Deliveries that this process has claimed, and what became of them so far."""

    context: JobContext
    holder: str
    tries: list[Try] = field(default_factory=list)
    attachments: dict[UUID, Attachment] = field(default_factory=dict)
    invoices: dict[UUID, dict[str, Any]] = field(default_factory=dict)

    async def claim(self) -> Sequence[Claimed]:
        """Take what is due, and read what is to be printed with it."""
        async with self.context.database.transaction() as session:
            claimed = await claim_deliveries(session, holder=self.holder, now=self.context.now, limit=BATCH)
            carried = [message for each in claimed for message in (each.message, *each.riders)]
            attached = {each.attached_invoice_id for each in carried if each.attached_invoice_id}
            self.invoices = await printable_invoices(session, attached)
        return claimed

    async def send(self, line: Line, claimed: Claimed) -> Outcome:
        """Write the mail and send it. A mail that cannot be written fails with the reason, one that cannot be now is tried again."""
        message, delivery = claimed.message, claimed.delivery
        if delivery.address is None:
            return Outcome(Kind.PERMANENT, None, "No hay dirección a la que enviar.")
        try:
            attachments = await self._attachments([message, *claimed.riders])
            mail = mail_of(self.context.operator, message, delivery, attachments, claimed.riders)
        except NotPrinted as error:
            log.warning("mail cannot be written now", message=str(message.id), error=told(error))
            return Outcome(Kind.TEMPORARY, None, "No se pudo imprimir lo que lleva adjunto.")
        except (PdfFailed, ValueError) as error:
            log.error("mail cannot be written", message=str(message.id), error=told(error))
            return Outcome(Kind.PERMANENT, None, f"No se pudo escribir el correo: {error}")
        outcome = await line.send(mail, sender=self.context.operator.mail_from, recipient=delivery.address)
        if outcome.kind is not Kind.ACCEPTED:
            log.warning(
                "mail not accepted", delivery=str(delivery.id), outcome=outcome.kind, code=outcome.code, detail=outcome.detail[:300]
            )
        return outcome

    async def _attachments(self, messages: Sequence[Message]) -> list[Attachment]:
        """The messages' invoices, each printed once for all its recipients. One that is not known is not attached."""
        wanted = dict.fromkeys(each.attached_invoice_id for each in messages if each.attached_invoice_id in self.invoices)
        for each in wanted:
            if each is not None and each not in self.attachments:
                self.attachments[each] = await print_invoice(self.context.operator, self.invoices[each])
        return [self.attachments[each] for each in wanted if each is not None]

    async def renew(self) -> None:
        """Stay the holder of what is not kept yet."""
        async with self.context.database.transaction() as session:
            await renew_claims(session, holder=self.holder)

    async def record(self) -> bool:
        """Keep what is not kept yet; False when another worker has taken over."""
        tries, self.tries = self.tries, []
        async with self.context.database.transaction() as session:
            kept = await record_outcomes(session, self.context.operator, holder=self.holder, tries=tries)
        if kept < len(tries):
            log.warning("deliveries taken over", holder=self.holder, lost=len(tries) - kept)
        return kept == len(tries)


JOB = Job("deliveries", next_due, run)
