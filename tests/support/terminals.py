"""What people do at the one address, whatever is behind it: the same story runs on the house in this process and on ten processes."""

import email
import email.policy
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx

from shared.operator import Operator


class Terminals:
    """People with clients, time that passes, files that come in, mails that went out."""

    operator: Operator
    maildir: Path
    hurried = False  # then nobody waits, after a command, for what follows from it

    def as_(self, person: str) -> httpx.AsyncClient:
        """The one address as this person sees it (`/billing/…`, `/collections/…`)."""
        raise NotImplementedError

    def instant(self, text: str) -> datetime:
        """`2026-03-27T09:00` on the operator's clock."""
        return datetime.fromisoformat(text).replace(tzinfo=self.operator.zone)

    async def until(self, text: str) -> int:
        """Let business time pass until `2026-03-27T09:00` of the operator's clock, through the conductor. Answers the number of stops."""
        response = await self.as_("admin").post("/simulation/clock", json={"advance_to": self.instant(text).isoformat()})
        assert response.status_code == 200, response.text
        return int(response.json()["stops"])

    async def settle(self) -> None:
        """Wait until nothing is under way; time stands still."""
        await self.get("/simulation/clock")

    async def now(self) -> datetime:
        """Business time."""
        return datetime.fromisoformat((await self.get("/simulation/clock"))["now"])

    async def get(self, path: str, person: str = "admin", **query: Any) -> Any:
        """What a GET answers, as JSON; anything but 200 fails the test with the problem's text."""
        response = await self.as_(person).get(path, params=query)
        assert response.status_code == 200, f"{path}: {response.text}"
        return response.json()

    async def post(self, path: str, body: Mapping[str, Any] | None = None, person: str = "admin", **headers: str) -> Any:
        """Do something, let all that follows from it happen, and answer the response's JSON; a problem fails the test with its text."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.as_(person).post(path, json=body or {}, headers=given)
        assert response.is_success, f"{path}: {response.text}"
        if not self.hurried:
            await self.settle()
        return response.json() if response.content else None

    async def refused(self, path: str, body: Mapping[str, Any] | None = None, person: str = "admin") -> dict[str, Any]:
        """Try something that a rule forbids: the problem, with its rule and detail."""
        response = await self.as_(person).post(path, json=body or {})
        assert response.status_code == 409, f"{path}: {response.status_code} {response.text}"
        return dict(response.json())

    async def import_file(self, text: str, mapping: str, person: str = "ines.reyes") -> dict[str, Any]:
        """Send a CSV file with its mapping (YAML) to billing as its people do, and answer the finished import."""
        files: Any = {"file": ("libro.csv", text.encode(), "text/csv"), "mapping": (None, mapping)}
        response = await self.as_(person).post("/billing/imports", files=files)
        assert response.status_code == 202, response.text
        await self.settle()
        return dict(await self.get(f"/billing/imports/{response.json()['id']}", person))

    def mails(self, to: str | None = None, subject: str | None = None) -> list[EmailMessage]:
        """The mails in the Maildir in the order of their dates, to this address and with this in the subject."""
        found = []
        for path in sorted(self.maildir.glob("new/*")) + sorted(self.maildir.glob("cur/*")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            if (to is None or to in str(message["To"])) and (subject is None or subject in str(message["Subject"])):
                found.append(message)
        return sorted(found, key=lambda each: str(each["Date"].datetime if each["Date"] else ""))
