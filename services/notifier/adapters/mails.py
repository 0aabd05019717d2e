"""A delivery as the mail that goes out, and the invoice that goes with it."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.notifier.models import Delivery, Message
from services.notifier.rules.examples import imagined
from services.notifier.rules.merging import merged
from services.notifier.rules.mime import Attachment, Mail, Picture, compose
from services.notifier.rules.recipients import Recipient
from services.notifier.rules.rendering import Rendered, render
from shared.operator import Notice, Operator
from shared.operator.templates import FOLDER, templates_of
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
            date=(delivery.dated_at or message.created_at).astimezone(operator.zone),
            sender=Recipient(operator.name, operator.mail_from),
            to=Recipient(delivery.name, delivery.address) if delivery.address else None,
            reply_to=Recipient(answer["name"], answer["address"]) if answer else None,
            subject=words.subject,
            text=words.text,
            html=words.html,
            notice=message.notice,
            attachments=attachments,
            pictures=pictures_of(operator),
        )
    )


def preview_of(operator: Operator, notice: Notice, now: datetime) -> Rendered:
    """A notice with invented data, its pictures inside the page. Raises UnableToRender."""
    found = render(templates_of(operator), notice.template, imagined(operator, notice, now))
    page = found.html
    for each in pictures_of(operator):
        page = page.replace(f"cid:{each.name}", f"data:image/png;base64,{base64.b64encode(each.content).decode()}")
    return Rendered(found.subject, found.text, page)


def pictures_of(operator: Operator) -> list[Picture]:
    """The pictures that the operator's mails may show: its logo."""
    logo = operator.brand.logo
    return [Picture("logo", _read(operator.folder / FOLDER / logo, operator.fingerprint))] if logo else []


@lru_cache(maxsize=8)
def _read(path: Path, _fingerprint: str) -> bytes:
    return path.read_bytes()
