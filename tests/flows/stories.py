"""Stories of the documents, told once and played on whatever answers: the house in one process, on Kafka, or in ten processes."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.flows.books import MAPPING, book
from tests.support.terminals import Terminals

FIVE_DESKS = ("gerente.ventas", "gerente.cobros", "recuperaciones", "ingenieria.sps", "director.proyectos")
SIX_DESKS = ("gerente.ventas", "ingenieria.sps", "jefe.servicio", "recuperaciones", "cobros", "director.proyectos")


@dataclass
class Customer:
    """A customer of a story, as its agent knows it."""

    house: Terminals
    id: str
    agent: str

    async def status(self) -> str:
        """The status in the operator's own word."""
        return str((await self.account())["status"]["label"])

    async def account(self) -> Any:
        return await self.house.get(f"/collections/customers/{self.id}", self.agent)

    async def invoice(self, period: str = "2026-03") -> Any:
        """A month's invoice; fees have their own."""
        issued = (await self.house.get("/billing/invoices", customer_id=self.id, period=period))["items"]
        (found,) = [each for each in issued if each["fee"] is None]
        return found

    async def fees(self) -> list[Any]:
        """The invoices of fees, the first one first."""
        issued = (await self.house.get("/billing/invoices", customer_id=self.id))["items"]
        return sorted((each for each in issued if each["fee"] is not None), key=lambda each: str(each["number"]))

    async def does(self, what: str, body: dict[str, Any] | None = None) -> Any:
        """Something that the agent does with the customer."""
        return await self.house.post(f"/collections/customers/{self.id}/{what}", body, self.agent)

    async def is_refused(self, what: str, body: dict[str, Any] | None = None, person: str | None = None) -> dict[str, Any]:
        return await self.house.refused(f"/collections/customers/{self.id}/{what}", body, person or self.agent)

    async def reports_payment(self, amount: str | None = None, reference: str | None = None, period: str = "2026-03") -> Any:
        """The agent writes down that the customer paid; by default all of the month's invoice."""
        invoice = await self.invoice(period)
        today = (await self.house.now()).astimezone(self.house.operator.zone).date().isoformat()
        body = {
            "customer_id": self.id,
            "amount": {"amount": amount or invoice["total"]["amount"], "currency": "USD"},
            "channel": "transferencia",
            "reference": reference or self._reference(period),
            "paid_on": today,
        }
        return await self.house.post("/billing/payments", body, self.agent)

    def _reference(self, period: str) -> str:
        """The bank's number of the transfer."""
        return f"TRF-{period}-{self.id[-4:]}"

    async def finishes(self, person: str, step: str, comment: str = "") -> Any:
        """Somebody finishes an open step of the customer's open ticket."""
        path, body, version = await self._step(step, comment)
        return await self.house.post(path, body, person, if_match=version)

    async def may_not_finish(self, person: str, step: str, comment: str = "") -> dict[str, Any]:
        """Somebody tries to, and is refused: the problem."""
        path, body, version = await self._step(step, comment)
        response = await self.house.as_(person).post(path, json=body, headers={"If-Match": version})
        assert response.status_code in (403, 409, 422), response.text
        return dict(response.json())

    async def _step(self, step: str, comment: str) -> tuple[str, dict[str, Any], str]:
        (listed,) = (await self.house.get("/ticketing/tickets", customer_id=self.id, state="open"))["items"]
        body: dict[str, Any] = {"outcome": "done", "captured": {}, "comment": comment or None}
        return f"/ticketing/tickets/{listed['id']}/steps/{step}/finish", body, f'"{listed["version"]}"'

    async def is_cut_after_the_notice(self) -> None:
        """The notice on the 26th, the order to cut on the 28th, as VIP-10 and VIP-12 want it."""
        await self.house.until("2026-03-26T09:00")
        await self.does("suspension-notices", {})
        await self.house.until("2026-03-28T08:00")
        await self.does("suspensions", {})

    async def promises(self, due: str, amount: str = "690.00") -> Any:
        """The customer promises to pay until `2026-03-20T17:00`."""
        return await self.does("promises", self._promise(due, amount))

    async def may_not_promise(self, due: str, amount: str = "690.00") -> dict[str, Any]:
        return await self.is_refused("promises", self._promise(due, amount))

    def _promise(self, due: str, amount: str) -> dict[str, Any]:
        return {"amount": _usd(amount), "due_at": self.house.instant(due).isoformat()}

    async def agrees_plan(self, *instalments: tuple[str, str]) -> Any:
        """A payment plan of instalments: until when, how much."""
        parts = [{"due_at": self.house.instant(due).isoformat(), "amount": _usd(amount)} for due, amount in instalments]
        return await self.does("payment-plans", {"instalments": parts})

    async def promise_states(self) -> list[str]:
        """What the ledger says of each promise, the first one first."""
        return [each["state"] for each in (await self.account())["promises"]]

    async def explanation(self) -> Any:
        return await self.house.get(f"/collections/customers/{self.id}/explanation", self.agent)

    async def may(self) -> set[str]:
        """What may be done now, as the explanation says."""
        return {each["action"] for each in (await self.explanation())["may"]}

    async def why_not(self, action: str) -> tuple[str, str]:
        """Which rule forbids an action now, and why."""
        (found,) = [each for each in (await self.explanation())["may_not"] if each["action"] == action]
        return found["rule"]["id"], found["reason"]

    async def pays_while(self, what: str, body: dict[str, Any] | None = None) -> Any:
        """Two people press their buttons in the same moment: a payment is written down while `what` is done."""
        invoice = await self.invoice()
        payment = {"customer_id": self.id, "amount": _usd(invoice["total"]["amount"]), "channel": "transferencia"}
        payment["reference"] = self._reference(invoice["period"])
        payment["paid_on"] = (await self.house.now()).astimezone(self.house.operator.zone).date().isoformat()
        agent = self.house.as_(self.agent)
        answers = await asyncio.gather(
            agent.post(f"/collections/customers/{self.id}/{what}", json=body or {}), agent.post("/billing/payments", json=payment)
        )
        await self.house.settle()
        return answers

    async def tickets(self) -> list[Any]:
        return list((await self.house.get("/ticketing/tickets", customer_id=self.id))["items"])


def _usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


async def customers_of(house: Terminals, *rows: str) -> list[Customer]:
    """Import these rows as billing's people do; the customers in their order."""
    report = await house.import_file(book(*rows), MAPPING)
    assert (report["rows_new"], report["rows_bad"]) == (len(rows), 0), report
    found = []
    for row in rows:
        code, _, agent, *_ = row.split(",")
        (account,) = (await house.get("/collections/customers", external_id=code))["items"]
        found.append(Customer(house, account["customer_id"], agent or "admin"))
    return found


def told(house: Terminals, subject: str) -> set[str]:
    """Which desks had a mail with this in its subject (the part before the @)."""
    return {str(mail["To"]).split("<")[-1].split("@")[0] for mail in house.mails(subject=subject)}
