"""What every way of sending a mail has in common, and which one a process uses."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.message import EmailMessage
from typing import Protocol

from services.notifier.adapters.maildir import Maildir
from services.notifier.adapters.smtp import SmtpCarrier
from services.notifier.rules.states import Kind, Outcome
from shared.settings import Settings


class Line(Protocol):
    """An open way to send mails one after another."""

    async def send(self, mail: EmailMessage, *, sender: str, recipient: str) -> Outcome:
        """Send one mail to one address; whatever goes wrong is an Outcome."""
        ...


class Carrier(Protocol):
    """Opens a line; opening does not fail, sending tells. `repeatable`: the same mail sent twice is one mail."""

    @property
    def repeatable(self) -> bool: ...

    def open(self) -> AbstractAsyncContextManager[Line]: ...


class Nowhere:
    """Neither SMTP nor a Maildir is configured: every delivery fails and says so."""

    repeatable = True

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Line]:
        yield self

    async def send(self, mail: EmailMessage, *, sender: str, recipient: str) -> Outcome:
        return Outcome(Kind.PERMANENT, None, "No hay por dónde enviar: falta RECONECTA_SMTP_URL o RECONECTA_MAILDIR.")


def carrier(settings: Settings) -> Carrier:
    """The carrier of a process's settings. Raises ValueError for an address that is no SMTP URL."""
    if settings.smtp_url is not None:
        return SmtpCarrier.from_url(settings.smtp_url)
    if settings.maildir is not None:
        return Maildir(settings.maildir)
    return Nowhere()
