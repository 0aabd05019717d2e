"""`reconecta audit`: nothing is wrong with a month that was played; each kind of wrong that is planted is found, with its id."""

from typing import Any

import pytest

from services.auditing import audit
from shared.db import Database, rows
from tests.flows.books import residential, vip
from tests.flows.stories import customers_of
from tests.support.house import TestHouse, open_test_house

PARKED = """
INSERT INTO parked_event (reason, detail, attempts, parked_at, event_id, sender, type, subject, sequence, key, occurred_at, data)
SELECT 'dead', '', 1, now(), gen_random_uuid(), 'billing', 'x', 'x/1', 1, 'cliente-1', now(), '{}' RETURNING key"""
# Where, what is done there (it answers the id or number that must be told), and how the sentence begins.
PLANTED = [
    ("billing", "UPDATE invoice SET balance = balance - 1 WHERE balance > 1 AND reported = 0 RETURNING number", "el saldo de cada factura"),
    ("billing", "UPDATE fiscal_series SET next_number = next_number + 1 RETURNING code",
     "la numeración de cada serie fiscal"),
    ("billing", "UPDATE payment SET state = 'CONFIRMED' WHERE state = 'REPORTED' RETURNING id",
     "cada pago está igual en Facturación y en Cobros"),
    ("billing", "UPDATE customer SET name = 'Otra' WHERE external_id = 'C-1' RETURNING id", "los clientes de Cobros"),
    ("collections", "UPDATE suspension SET rule = '' RETURNING id", "cada suspensión tiene su causa"),
    ("collections", "UPDATE suspension_notice SET accepted_at = accepted_at + interval '3 days' WHERE EXISTS (SELECT FROM suspension s "
     "WHERE s.account_id = suspension_notice.account_id) RETURNING (SELECT s.id FROM suspension s "
     "WHERE s.account_id = suspension_notice.account_id)", "cada suspensión tuvo antes su aviso"),
    ("collections", "DELETE FROM status_change WHERE version = (SELECT max(version) FROM status_change s "
     "WHERE s.account_id = status_change.account_id) RETURNING account_id", "el estado de cada cliente es el último de su rastro"),
    ("collections", "UPDATE account SET status = 'active' WHERE status <> 'active' RETURNING id",
     "el estado guardado es el que dice la política"),
    ("collections", "UPDATE invoice SET balance = balance - 1 WHERE balance > 1 AND paid_at IS NULL RETURNING id",
     "lo abierto de cada factura es igual en Facturación y en Cobros"),
    ("notifier", "UPDATE invoice SET open_amount = open_amount - 1 WHERE open_amount > 1 RETURNING id", "lo que se espera de cada factura"),
    ("ticketing", "DELETE FROM invoice WHERE id IN (SELECT id FROM invoice LIMIT 1) RETURNING id", "lo acreditado de cada factura"),
    ("noc", "UPDATE connection SET access_node = 'NADIE' RETURNING service_id", "cada servicio cuelga de un nodo conocido"),
    ("noc", PARKED, "ningún suceso está muerto"),
]  # fmt: skip


@pytest.mark.slow
async def test_a_month_has_nothing_wrong_and_what_is_planted_is_found(databases: dict[str, str], tmp_path: Any) -> None:
    async with open_test_house(databases, tmp_path) as house:
        await a_month(house)
        assert [str(each) for each in await audit(databases, house.operator)] == []
    for service, sql, sentence in PLANTED:
        database = Database(databases[service], service=service, pool_size=1)
        async with database.transaction() as session:
            await rows(session, "SET session_replication_role = replica")
            planted = [str(row[0]) for row in await rows(session, sql)]
        assert planted, sql
        found = [each for each in await audit(databases, house.operator, again=0) if each.broken.sentence.startswith(sentence)]
        assert found, f"{sentence} holds in spite of {sql}"
        told = " ".join(key for each in found for key in each.broken.found)
        assert any(each in told for each in planted), (planted, found)
        await database.close()


async def a_month(house: TestHouse) -> None:
    """One is cut and pays half, one pays in time and takes it back, a home is cut by the system."""
    first, second, home = await customers_of(
        house, vip("C-1", "Hotel Copantl"), vip("C-2", "Banco Atlas"), residential("R-1", "Norma Oliva")
    )
    await house.until("2026-03-05T09:00")
    await second.reports_payment()
    await home.reports_payment("5.00", "DEP-1")
    await first.is_cut_after_the_notice()
    await house.until("2026-03-29T09:00")
