"""Mails over SMTP: one connection for many mails, a time-out on every step, and an honest answer to what became of each.

Nothing is known for sure once the mail's text has been sent and no answer came: that is UNKNOWN. Before that the server cannot have it.
What a server says is kept as text that a database can hold, in whatever alphabet it came.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException, SMTPTimeoutError

from services.notifier.rules.states import Kind, Outcome
from shared.operator.templates import printable

SECONDS = 30.0
SCHEMES = {"smtp": 25, "smtps": 465}
SILENT = Outcome(Kind.TEMPORARY, None, "El servidor de correo dejó de contestar con un correo anterior.")


@dataclass(frozen=True)
class SmtpCarrier:
    """A mail server. `starttls`: None is "when it offers it"."""

    host: str
    port: int
    tls: bool = False
    starttls: bool | None = None
    username: str | None = None
    password: str | None = None
    seconds: float = SECONDS

    @property
    def repeatable(self) -> bool:
        """A server that got a mail twice has it twice."""
        return False

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`smtp[s]://[user:password@]host[:port][?starttls=always|never][&timeout=30]`. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError("smtp_url: se espera smtp://usuario:clave@servidor:puerto o smtps://…")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return cls(
            host=parts.hostname,
            port=parts.port or SCHEMES[parts.scheme],
            tls=parts.scheme == "smtps",
            starttls={"always": True, "never": False}.get(query.get("starttls", "")) if parts.scheme == "smtp" else False,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            seconds=float(query.get("timeout", SECONDS)),
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator["SmtpLine"]:
        line = SmtpLine(self)
        try:
            yield line
        finally:
            await line.close()


class SmtpLine:
    """One connection, opened with the first mail and again after it broke."""

    def __init__(self, server: SmtpCarrier) -> None:
        self._server = server
        self._client: SMTP | None = None
        self._down: Outcome | None = None

    async def send(self, mail: EmailMessage, *, sender: str, recipient: str) -> Outcome:
        """Send one mail to one address. A server that could not be reached, or fell silent, is not asked again for the next mail of this
        line: each would wait as long."""
        if self._down is not None:
            return self._down
        try:
            client = await self._connected()
        except (SMTPException, OSError, ValueError) as error:
            self._down = no_connection(error)
            return self._down
        try:
            await client.mail(sender, timeout=self._server.seconds)
            await client.rcpt(recipient, timeout=self._server.seconds)
            content = mail.as_bytes()
        except (SMTPException, OSError, ValueError) as error:
            await self._broken(error)
            return before_data(error)
        try:
            answer = await client.data(content, timeout=self._server.seconds)
        except (SMTPException, OSError, ValueError) as error:
            await self._broken(error)
            return after_data(error)
        return Outcome(Kind.ACCEPTED, answer.code, words(answer.message))

    async def _connected(self) -> SMTP:
        if self._client is not None and self._client.is_connected:
            return self._client
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.starttls,
            timeout=server.seconds,
        )
        await client.connect()
        self._client = client
        return client

    async def _broken(self, error: Exception) -> None:
        """A clean answer leaves the connection usable after RSET; anything else ends it."""
        client, self._client = self._client, None
        if isinstance(error, SMTPTimeoutError):
            self._down = SILENT
        if client is None:
            return
        if isinstance(error, SMTPResponseException) and error.code != 421 and client.is_connected:
            with contextlib.suppress(SMTPException, OSError):
                await client.rset(timeout=self._server.seconds)
                self._client = client
                return
        client.close()

    async def close(self) -> None:
        """Say goodbye, if anybody is still there."""
        if self._client is not None:
            with contextlib.suppress(SMTPException, OSError):
                await self._client.quit(timeout=5)
            self._client.close()
            self._client = None


def words(said: str) -> str:
    """What a server said. Bytes that are no UTF-8, which the client keeps as halves of characters, are Western Europe's; no NUL."""
    try:
        return str(printable(said.encode("utf-8", "surrogateescape").decode()))
    except UnicodeError:
        return str(printable(said.encode("utf-8", "surrogateescape").decode("latin-1")))


def no_connection(error: Exception) -> Outcome:
    """Why there is no server to talk to; it may pass, or somebody mends the settings."""
    if isinstance(error, SMTPAuthenticationError):
        return Outcome(Kind.TEMPORARY, error.code, f"El servidor de correo no acepta las credenciales: {words(error.message)}")
    if isinstance(error, SMTPResponseException):
        return Outcome(Kind.TEMPORARY, error.code, f"El servidor de correo no atiende: {words(error.message)}")
    return Outcome(Kind.TEMPORARY, None, f"No hay conexión con el servidor de correo ({type(error).__name__}).")


def before_data(error: Exception) -> Outcome:
    """What became of a mail whose text was not sent: the server does not have it."""
    if isinstance(error, SMTPResponseException):
        return Outcome(Kind.PERMANENT if 500 <= error.code < 600 else Kind.TEMPORARY, error.code, words(error.message))
    if isinstance(error, ValueError):
        return Outcome(Kind.PERMANENT, None, "La dirección no se puede usar en un correo.")
    return Outcome(Kind.TEMPORARY, None, f"Se perdió la conexión con el servidor de correo ({type(error).__name__}).")


def after_data(error: Exception) -> Outcome:
    """What became of a mail whose text was under way: unless the server refused it, nobody knows."""
    if isinstance(error, SMTPResponseException) and error.code >= 400:
        return Outcome(Kind.PERMANENT if 500 <= error.code < 600 else Kind.TEMPORARY, error.code, words(error.message))
    return Outcome(Kind.UNKNOWN, None, f"Se envió y no hubo respuesta ({type(error).__name__}): puede haber llegado o no.")
