"""Each service looks every night whether its own database is sound; what is planted in any of them is found at three in the morning."""

from typing import Any

from shared.db import execute, rows
from tests.flows.books import residential, vip
from tests.flows.stories import customers_of
from tests.support.house import TestHouse, open_test_house

# Where, what is done there and how it is undone (both answer the id or number), and how the sentence begins.
PLANTED = [
    ("billing", "UPDATE invoice SET balance = balance - 1 WHERE balance > 1 RETURNING number",
     "UPDATE invoice SET balance = balance + 1 WHERE balance > 1 RETURNING number", "el saldo de cada factura"),
    ("collections", "UPDATE account SET status = 'suspended' RETURNING id",
     "UPDATE account SET status = 'active' RETURNING id", "el estado guardado es el que dice la política"),
    ("ticketing", "UPDATE customer SET name = name || '!' RETURNING id",
     "UPDATE customer SET name = rtrim(name, '!') RETURNING id", "los clientes de Tickets son los de Facturación"),
    ("noc", "UPDATE connection SET access_node = '?' || access_node RETURNING service_id",
     "UPDATE connection SET access_node = ltrim(access_node, '?') RETURNING service_id", "cada servicio cuelga de un nodo conocido"),
    ("notifier", "UPDATE invoice SET open_amount = open_amount + 1 RETURNING number",
     "UPDATE invoice SET open_amount = open_amount - 1 RETURNING number", "de una factura no se debe más que al emitirla"),
]  # fmt: skip


async def test_what_is_planted_in_any_database_is_found_at_three_and_gone_the_night_after(databases: dict[str, str], tmp_path: Any) -> None:
    async with open_test_house(databases, tmp_path, nightly_audit=True) as house:
        await customers_of(house, vip("C-1", "Hotel Copantl"), residential("R-1", "Norma Oliva"))
        await house.until("2026-03-02T09:00")
        assert await states(house) == {service: ["SOUND"] * 3 for service in house.house.runtimes}, "when it was new, and two nights"

        planted = {service: await change(house, service, sql) for service, sql, _, _ in PLANTED}
        await house.until("2026-03-03T03:00")
        for service, _, _, sentence in PLANTED:
            [found] = (await house.get(f"/{service}/audits", state="BROKEN"))["items"]
            assert found["audited_at"] == "2026-03-03T09:00:00Z"
            [wrong] = [each for each in found["wrong"] if each["sentence"].startswith(sentence)]
            assert wrong["count"] == len(planted[service]) == len(wrong["first"])
            assert all(any(key in told for told in wrong["first"]) for key in planted[service])
            gauge = f'reconecta_audit_broken{{kind="{wrong["sentence"]}",service="{service}"}} {float(wrong["count"])}'
            assert gauge in (await house.as_("admin").get(f"/{service}/metrics")).text

        for service, _, undone, _ in PLANTED:
            await change(house, service, undone)
        await house.until("2026-03-04T03:00")
        assert await states(house) == {service: ["SOUND", "BROKEN", *["SOUND"] * 3] for service in house.house.runtimes}


async def states(house: TestHouse) -> dict[str, list[str]]:
    """How every service's audits came out, the latest first."""
    return {service: [each["state"] for each in (await house.get(f"/{service}/audits"))["items"]] for service in house.house.runtimes}


async def change(house: TestHouse, service: str, sql: str) -> list[str]:
    """Change rows past all rules and triggers; answers which."""
    async with house.house.runtimes[service].database.transaction() as session:
        await execute(session, "SET LOCAL session_replication_role = replica")
        return [str(row[0]) for row in await rows(session, sql)]
