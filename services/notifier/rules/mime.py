"""A message as mail programs read it."""

import re
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.contentmanager import ContentManager, raw_data_manager
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage, Message
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from services.notifier.rules.recipients import Recipient

# Quoted-printable has no `=_` and base64 no `--`, so no content can look like the end of a part, and all mails may have the same
# boundaries: the library need not search each mail for one that does not occur in it, which was half of the time that writing it took.
BOUNDARY = "=_reconecta_"
ADDRESS = re.compile(r"(?!.*=\?)[^@\s,;:<>()\[\]\"\\\x00-\x20\x7f]{1,64}@[^@\s,;:<>()\[\]\"\\\x00-\x20\x7f]{1,255}")


class KnownHeaders(HeaderRegistry):
    """The library makes a class for each header and parses it, its own as well; most are the same in every mail, and none is changed."""

    def __init__(self) -> None:
        super().__init__()
        self._class = lru_cache(maxsize=100)(super().__getitem__)
        self._header = lru_cache(maxsize=1000)(super().__call__)

    def __getitem__(self, name: str) -> type[BaseHeader]:
        return self._class(name)

    def __call__(self, name: str, value: Any) -> BaseHeader:
        return self._header(name, value)


class MailPolicy(EmailPolicy):
    """The library's rules for SMTP; how a header is broken into lines is found out once."""

    def fold_binary(self, name: str, value: str) -> bytes:
        return _folded(name, value)


@lru_cache(maxsize=1000)
def _folded(name: str, value: str) -> bytes:
    # the library leaves the blank before an encoded word at the line's end, and readers count the one that begins the next line, too
    return SMTP.fold_binary(name, value).replace(b" \r\n ", b"\r\n ")


class Content(ContentManager):
    """The library's ways to put what it gets into a mail, but for texts: its own takes them letter by letter."""

    def get_content(self, msg: Message, *args: Any, **kw: Any) -> Any:
        return raw_data_manager.get_content(msg, *args, **kw)

    def set_content(self, msg: Message, obj: Any, *args: Any, **kw: Any) -> Any:
        if isinstance(obj, str):
            return super().set_content(msg, obj, *args, **kw)
        return raw_data_manager.set_content(msg, obj, *args, **kw)


def _set_text(message: Message, text: str, subtype: str = "plain") -> None:
    lines = b"\n".join(text.encode().splitlines()) + b"\n"
    message["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    message["Content-Transfer-Encoding"] = "quoted-printable"
    message.set_payload(b2a_qp(lines, istext=True).decode("ascii"))


CONTENT = Content()
CONTENT.add_set_handler(str, _set_text)
POLICY = MailPolicy(linesep="\r\n", header_factory=KnownHeaders(), content_manager=CONTENT)


@dataclass(frozen=True)
class Attachment:
    """A file that travels with the mail."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Picture:
    """A PNG that the HTML shows as `cid:<name>`: it travels inside the mail, so that nobody has to fetch it."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Mail:
    """One delivery's mail. `date` (aware) is when it was made or, where it had to wait, sent; that and `message_id` stay the same however
    often it is sent."""

    message_id: str
    date: datetime
    sender: Recipient
    to: Recipient | None
    reply_to: Recipient | None
    subject: str
    text: str
    html: str
    notice: str
    attachments: Sequence[Attachment] = ()
    pictures: Sequence[Picture] = ()


def compose(mail: Mail) -> EmailMessage:
    """The mail in MIME: text and HTML beside each other, files after them. Raises ValueError for an address that no header can hold."""
    found = EmailMessage(policy=POLICY)
    found["Message-ID"] = mail.message_id
    found["Date"] = format_datetime(mail.date)
    found["From"] = _address(mail.sender)
    if mail.to is not None:
        found["To"] = _address(mail.to)
    if mail.reply_to is not None:
        found["Reply-To"] = _address(mail.reply_to)
    found["Subject"] = _plain(mail.subject)
    found["Auto-Submitted"] = "auto-generated"
    found["X-Reconecta-Notice"] = mail.notice
    found.set_content(mail.text)
    found.make_alternative(boundary=f"{BOUNDARY}alternative")
    found.add_alternative(mail.html, subtype="html")
    page: EmailMessage = list(found.iter_parts())[-1]  # type: ignore[assignment]
    shown = [each for each in mail.pictures if f"cid:{each.name}" in mail.html]
    if shown:
        page.make_related(boundary=f"{BOUNDARY}related")
    for picture in shown:
        page.add_related(picture.content, maintype="image", subtype="png", cid=f"<{picture.name}>", disposition="inline")
    if mail.attachments:
        found.make_mixed(boundary=f"{BOUNDARY}mixed")
    for each in mail.attachments:
        found.add_attachment(each.content, maintype="application", subtype="pdf", filename=_plain(each.name))
    return found


def message_id(delivery_id: str, sender_address: str) -> str:
    """The Message-ID of a delivery, for all its tries."""
    return f"<{delivery_id}@{sender_address.rpartition('@')[2]}>"


def _plain(text: str) -> str:
    """A text for a header: one line, printable, and nothing that the library would read as an encoded word, for what it decodes to may
    be a line's end."""
    line = "".join(each for each in " ".join(text.split()) if each.isprintable())
    return line.replace("=?", "= ?")


@lru_cache(maxsize=1000)
def _address(recipient: Recipient) -> str:
    if not ADDRESS.fullmatch(recipient.address):
        raise ValueError("no es una dirección de correo")
    try:
        return str(Address(display_name=_plain(recipient.name), addr_spec=recipient.address))
    except (MessageError, LookupError) as error:  # the library's parser has its own ways to fail
        raise ValueError("no es una dirección de correo") from error
