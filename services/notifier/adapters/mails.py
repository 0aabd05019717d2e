"""A delivery as the mail that goes out: its MIME form, with the invoice printed where the notice attaches it."""

import asyncio
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

from services.notifier.models import Delivery, Message
from services.notifier.rules.mime import Attachment, Mail, compose
from services.notifier.rules.recipients import Recipient
from shared.operator import Operator
from shared.pdf import render_invoice


async def mail_of(operator: Operator, message: Message, delivery: Delivery, invoice: Mapping[str, Any] | None) -> EmailMessage:
    """The mail of one delivery; `invoice` as `printable_invoice` answers it. Raises PdfFailed, and ValueError for an impossible address."""
    attachments = []
    if invoice is not None:
        content = await asyncio.to_thread(render_invoice, operator, invoice)
        attachments.append(Attachment(f"factura-{invoice['number']}.pdf", content))
    answer = message.reply_to
    return compose(
        Mail(
            message_id=delivery.header_id,
            date=message.created_at.astimezone(operator.zone),
            sender=Recipient(operator.name, operator.mail_from),
            to=[Recipient(each["name"], each["address"]) for each in message.recipients],
            reply_to=Recipient(answer["name"], answer["address"]) if answer else None,
            subject=message.subject,
            text=message.text,
            html=message.html,
            notice=message.notice,
            attachments=attachments,
        )
    )
