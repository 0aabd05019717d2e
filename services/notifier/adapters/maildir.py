"""Mails as files in a Maildir, which any mail program opens: written beside, then moved in, so that nobody reads half a mail.

The file's name follows from the Message-ID: the same mail sent twice is one file, also after a reader has moved it to `cur`.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

from services.notifier.rules.states import Kind, Outcome


class Maildir:
    """A Maildir as a mail server that accepts everything."""

    repeatable = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Maildir"]:
        yield self

    async def send(self, mail: EmailMessage, *, sender: str, recipient: str) -> Outcome:
        """Keep the mail; a full or read-only disk is a reason to try again later."""
        try:
            return await asyncio.to_thread(self._keep, mail, recipient)
        except OSError as error:
            return Outcome(Kind.TEMPORARY, None, f"No se pudo escribir en el Maildir: {error.strerror or type(error).__name__}")

    def _keep(self, mail: EmailMessage, recipient: str) -> Outcome:
        for part in ("tmp", "new", "cur"):
            (self.folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        name = file_name(mail)
        if (self.folder / "new" / name).exists() or any(each.name.startswith(name) for each in (self.folder / "cur").iterdir()):
            return Outcome(Kind.ACCEPTED, 250, "ya estaba en el Maildir")
        del mail["Delivered-To"]
        mail["Delivered-To"] = recipient
        beside = self.folder / "tmp" / f"{name}.{os.getpid()}"
        with beside.open("wb") as file:
            file.write(mail.as_bytes())
            file.flush()
            os.fsync(file.fileno())
        beside.rename(self.folder / "new" / name)
        return Outcome(Kind.ACCEPTED, 250, "guardado en el Maildir")


def file_name(mail: EmailMessage) -> str:
    """`<seconds>.<Message-ID>.reconecta`: mail programs sort by the seconds."""
    seconds = int(parsedate_to_datetime(str(mail["Date"])).timestamp())
    return f"{seconds}.{re.sub(r'[^A-Za-z0-9-]', '_', str(mail['Message-ID']).strip('<> '))}.reconecta"
