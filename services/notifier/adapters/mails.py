"""A delivery as the mail that goes out, and the invoice that goes with it."""

import asyncio
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any

from services.notifier.models import Delivery, Message
from services.notifier.rules.merging import merged
from services.notifier.rules.mime import Attachment, Mail, compose
from services.notifier.rules.recipients import Recipient
from services.notifier.rules.rendering import Rendered
from shared.operator import Operator
from shared.pdf import render_invoice


async def print_invoice(operator: Operator, invoice: Mapping[str, Any]) -> Attachment:
    """An invoice (as `printable_invoices` answers it) as the PDF that a mail carries. Raises PdfFailed."""
    return Attachment(f"factura-{invoice['number']}.pdf", await asyncio.to_thread(render_invoice, operator, invoice))


def mail_of(
    operator: Operator, message: Message, delivery: Delivery, attachments: Sequence[Attachment], riders: Sequence[Message] = ()
) -> EmailMessage:
    """The mail of one delivery, with the messages that ride with it. Raises ValueError for an impossible address."""
    answer = message.reply_to
    words = merged([Rendered(each.subject, each.text, each.html) for each in (message, *riders)])
    return compose(
        Mail(
            message_id=delivery.header_id,
            date=message.created_at.astimezone(operator.zone),
            sender=Recipient(operator.name, operator.mail_from),
            to=Recipient(delivery.name, delivery.address) if delivery.address else None,
            reply_to=Recipient(answer["name"], answer["address"]) if answer else None,
            subject=words.subject,
            text=words.text,
            html=words.html,
            notice=message.notice,
            attachments=attachments,
        )
    )
