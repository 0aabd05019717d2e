"""Another operator, from scratch: another country, its own segments, procedures and notices, as the pages in docs/ show how to write them.
Its months are played through the API: nothing of the shipped operator is in the code."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.operator import load_operator
from tests.flows.books import HEADER, MAPPING
from tests.support.another_operator import another_operator
from tests.support.house import TestHouse, open_test_house

CREDIT, OPERATIONS, BOARD = "pedro.tzoc", "julia.xicara", "tomas.batz"
OWN = "P-1,Panadería Xelajú,,2025-01-01,p-1@correo.example,empresa_50,1000.00,own,p-1,XELA-1,AL DÍA,2026-02"
RESOLD = "P-2,Hotel Los Altos,,2025-01-01,p-2@correo.example,empresa_50,1000.00,third_party,p-2,XELA-1,AL DÍA,2026-02"
PUNCTUAL = "P-3,Librería Minerva,,2025-01-01,p-3@correo.example,empresa_50,1000.00,own,p-3,XELA-1,AL DÍA,2026-02"
TOWN = "G-1,Municipalidad,pedro.tzoc,2025-01-01,g-1@correo.example,municipal_100,2500.00,own,g-1,XELA-1,INSTITUCIÓN ACTIVA,2026-02"


@pytest.fixture
async def house(databases: dict[str, str], tmp_path: Path) -> AsyncIterator[TestHouse]:
    documents = load_operator(another_operator(tmp_path / "altiplano"))
    async with open_test_house(databases, tmp_path, using=documents) as opened:
        yield opened


async def imported(house: TestHouse, *rows: str) -> list[str]:
    """The customers' ids, in the order of the rows."""
    report = await house.import_file("\n".join([HEADER, *rows]) + "\n", MAPPING, "admin")
    assert (report["rows_new"], report["rows_bad"]) == (len(rows), 0), report
    codes = [row.split(",")[0] for row in rows]
    found = [(await house.get("/collections/customers", BOARD, external_id=code))["items"][0] for code in codes]
    return [str(each["customer_id"]) for each in found]


async def status(house: TestHouse, customer: str) -> str:
    return str((await house.get(f"/collections/customers/{customer}", CREDIT))["status"]["label"])


async def invoices(house: TestHouse, customer: str) -> list[Any]:
    """The month's invoice first, then fees."""
    found = (await house.get("/billing/invoices", CREDIT, customer_id=customer))["items"]
    return sorted(found, key=lambda each: each["fee"] is not None)


async def pays(house: TestHouse, customer: str, amount: str, reference: str) -> None:
    today = (await house.now()).astimezone(house.operator.zone).date().isoformat()
    body = {"customer_id": customer, "amount": {"amount": amount, "currency": "GTQ"}, "channel": "transferencia"}
    await house.post("/billing/payments", {**body, "reference": reference, "paid_on": today}, CREDIT)


async def finishes(house: TestHouse, customer: str, step: str, person: str, outcome: str = "done", **captured: str) -> None:
    (ticket,) = (await house.get("/ticketing/tickets", OPERATIONS, customer_id=customer, state="open"))["items"]
    comment = captured.pop("comment", None)
    body = {"outcome": outcome, "captured": captured, "comment": comment}
    await house.post(f"/ticketing/tickets/{ticket['id']}/steps/{step}/finish", body, person, if_match=f'"{ticket["version"]}"')


async def tickets(house: TestHouse, customer: str) -> list[tuple[str, str | None]]:
    found = (await house.get("/ticketing/tickets", OPERATIONS, customer_id=customer))["items"]
    return sorted((str(each["kind"]), each["outcome"]) for each in found)


def subjects(house: TestHouse, address: str) -> list[str]:
    return [str(each["Subject"]) for each in house.mails(to=address)]


async def test_companies_are_collected_from_as_their_file_says(house: TestHouse) -> None:
    own, resold, punctual = await imported(house, OWN, RESOLD, PUNCTUAL)

    # La factura se emite de noche y sale cuando abre el horario; vence a los quince días.
    await house.until("2026-03-01T07:59")
    assert house.mails() == []
    await house.until("2026-03-01T08:00")
    (invoice,) = await invoices(house, own)
    total = invoice["total"]
    assert (invoice["due_date"], Decimal(total["amount"]), total["currency"]) == ("2026-03-16", Decimal(1120), "GTQ")
    assert [subject[:8] for subject in subjects(house, "p-1@correo.example")] == ["Factura "]
    await pays(house, punctual, "1120.00", "BI-3")

    # Dos días antes de vencer, a las 07:30, se pide el recordatorio; sale a las 08:00, y no a quien pagó.
    await house.until("2026-03-14T07:59")
    assert len(subjects(house, "p-1@correo.example")) == 1
    await house.until("2026-03-14T08:00")
    assert subjects(house, "p-1@correo.example")[1:] == ["Altiplano Fibra: Q1,120.00 por pagar"]
    assert len(subjects(house, "p-3@correo.example")) == 1

    # Al tercer día de atraso, el 5 % de lo que debe, más impuesto; a los siete, avisado con 48 horas, el corte.
    await house.until("2026-03-19T09:00")
    assert [(each["fee"], Decimal(each["total"]["amount"])) for each in await invoices(house, own)] == [
        (None, Decimal(1120)),
        ("late", Decimal("62.72")),
    ]
    await house.until("2026-03-21T09:59")
    assert await status(house, own) == "AL DÍA"

    # A los cinco días, solo la página de pago, pero no en lo que entrega un tercero.
    await house.until("2026-03-21T10:00")
    assert len(subjects(house, "p-1@correo.example")) == 3
    assert [await status(house, each) for each in (own, resold, punctual)] == ["SOLO PÁGINA DE PAGO", "AL DÍA", "AL DÍA"]
    assert await house.is_on("p-1") and await house.is_restricted("p-1") and not await house.is_restricted("p-2")
    assert await tickets(house, own) == [("RESTRICCIÓN PYMES", "restricted")]
    await house.until("2026-03-23T09:59")
    assert [await status(house, each) for each in (own, resold, punctual)] == ["SOLO PÁGINA DE PAGO", "AL DÍA", "AL DÍA"]
    await house.until("2026-03-23T10:05")
    assert await status(house, own) == "CORTADO" and not await house.is_on("p-1") and not await house.is_restricted("p-1")

    # Lo que entrega un tercero lo corta antes su proveedor: el mismo procedimiento, con un paso más.
    assert await status(house, resold) == "AL DÍA"
    await finishes(house, resold, "proveedor", OPERATIONS, referencia="TGU-8812")
    assert await status(house, resold) == "CORTADO"

    # El pago reconecta solo; al que entrega un tercero, después de su proveedor.
    await pays(house, own, "1182.72", "BI-1")
    await pays(house, resold, "1182.72", "BI-2")
    assert await status(house, own) == "AL DÍA, PAGO POR CONFIRMAR" and await house.is_on("p-1") and not await house.is_restricted("p-1")
    assert await status(house, resold) == "CORTADO"
    await finishes(house, resold, "proveedor", OPERATIONS)
    assert await status(house, resold) == "AL DÍA, PAGO POR CONFIRMAR"
    assert await tickets(house, resold) == [("CORTE PYMES", "suspended"), ("RECONEXIÓN PYMES", "reconnected")]


async def test_a_company_that_does_not_pay_goes_to_recovery_and_leaves_it_by_paying(house: TestHouse) -> None:
    (own,) = await imported(house, OWN)
    await house.until("2026-04-10T07:59")
    assert await status(house, own) == "CORTADO"
    await house.until("2026-04-10T08:00")
    assert await status(house, own) == "EN RECUPERACIÓN"
    assert ("RETIRO PYMES", None) in await tickets(house, own)
    owed = sum(Decimal(each["balance"]["amount"]) for each in await invoices(house, own))
    await pays(house, own, str(owed), "BI-9")
    assert ("RETIRO PYMES", "paid") in await tickets(house, own)
    assert await status(house, own) == "AL DÍA, PAGO POR CONFIRMAR"


async def test_an_institution_is_collected_from_by_people_and_cut_when_the_board_agrees(house: TestHouse) -> None:
    (town,) = await imported(house, TOWN)
    await house.until("2026-03-25T11:59")
    (invoice,) = await invoices(house, town)
    assert invoice["due_date"] == "2026-03-20" and house.mails() == [], "nothing goes out by itself"
    path = f"/collections/customers/{town}/suspensions"
    assert (await house.refused(path, {}, CREDIT))["rule"] == "GOB-1"
    await house.until("2026-03-26T09:00")
    assert await status(house, town) == "INSTITUCIÓN ACTIVA", "the system cuts nobody"

    # La Dirección dice que no, y después que sí.
    await house.post(path, {}, CREDIT)
    await finishes(house, town, "autorizar", BOARD, "refused", comment="Es un hospital.")
    assert await status(house, town) == "INSTITUCIÓN ACTIVA" and await house.is_on("g-1")
    await house.post(path, {}, CREDIT)
    await finishes(house, town, "autorizar", BOARD, comment="Ya se habló con ellos.")
    assert await status(house, town) == "SERVICIO SUSPENDIDO" and not await house.is_on("g-1")

    # Paga, y la reconecta una persona: queda en el estado que dice su política.
    await pays(house, town, invoice["total"]["amount"], "SICOIN-1")
    assert await status(house, town) == "SERVICIO SUSPENDIDO"
    await house.post(f"/collections/customers/{town}/reconnections", {"basis": "payment"}, CREDIT)
    assert await status(house, town) == "INSTITUCIÓN ACTIVA" and await house.is_on("g-1")


# Where a segment of the shipped operator may be named: a rule that is cited, its folder, and the list that Sales sends.
CITED = re.compile(r"VIP-\d+|vip_isp|vip_lists|vip-lists|VipList|list of VIPs|clientes VIP del cierre de mes", re.IGNORECASE)
# The story that is shown, and the command line, which begins in the shipped folder.
SHOWN = ("services/demo", "services/cli")
# Values in the examples of the API's documentation.
EXAMPLES = re.compile(
    r"""^\s*(?:"?(?:policy|notice|code|kind|name|procedure)"?[=:] ?"|opened=\[|model_config = )|description="(?:código|por ejemplo)"""
)


def test_no_code_knows_a_segment() -> None:
    """Programs are given a policy by its code and read its file; none asks which one it is."""
    named = []
    for path in sorted([*Path("shared").rglob("*.py"), *Path("services").rglob("*.py")]):
        if not path.as_posix().startswith(SHOWN):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                if re.search("vip|residen[ct]ial", CITED.sub("", line), re.IGNORECASE) and not _is_example(path, line):
                    named.append(f"{path}:{number}: {line.strip()}")
    assert named == []


def _is_example(path: Path, line: str) -> bool:
    return "api" in path.parts and EXAMPLES.search(line) is not None
