"""Mail servers for notifier's tests: real ones, that answer as the test says."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP as POLICY
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Peer:
    """What a mail server got, and how it answers: `rcpt` and `data` are answers for the next mails, then everything is accepted.
    In `data`, "drop" ends the connection without an answer after the mail was taken; "slow" answers too late, in `rcpt`, too."""

    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    @property
    def message_ids(self) -> list[str]:
        return [str(each["Message-ID"]) for each in self.taken]

    async def handle_EHLO(self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]) -> list[str]:  # noqa: N802
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        answer = self.rcpt.pop(0) if self.rcpt else "250 OK"
        if answer == "slow":
            await asyncio.sleep(3)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.data.pop(0) if self.data else "250 OK"
        if re.match("[45]", answer):
            return answer
        assert isinstance(envelope.content, bytes)
        self.taken.append(BytesParser(_class=EmailMessage, policy=POLICY).parsebytes(envelope.content))
        self.recipients += envelope.rcpt_tos
        if answer == "drop":
            transport: Any = server.transport
            transport.abort()
            return "250 OK"
        if answer == "slow":
            await asyncio.sleep(3)
            return "250 OK"
        return answer


class Western(SMTP):
    """Speaks as many a server does: in the alphabet of its system, whatever the standard says."""

    async def push(self, status: str | bytes) -> None:
        await super().push(status.encode("latin-1") if isinstance(status, str) else status)


@asynccontextmanager
async def mail_server(rcpt: Sequence[str] = (), data: Sequence[str] = ()) -> AsyncIterator[Peer]:
    """A mail server on this machine, with time-outs short enough for tests."""
    peer = Peer(rcpt=list(rcpt), data=list(data))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Western(peer, hostname="localhost", loop=loop), "127.0.0.1", 0)
    peer.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}?starttls=never&timeout=2"
    try:
        yield peer
    finally:
        server.close()
        await server.wait_closed()
