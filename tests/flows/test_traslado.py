"""A relocation, as an operator's file tells it: coverage or none, a permit that only some buildings want, an appointment, the move, and
another round when something fails. Nothing of it is in the code."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.operator import load_operator
from tests.flows.test_otro_operador import CREDIT, OPERATIONS, OWN, imported, subjects, tickets
from tests.support.another_operator import another_operator
from tests.support.house import TestHouse, open_test_house

ONT = {"code": "ONT", "description": "Router óptico", "serial": "HW-1", "condition": "mismo"}
SIGNED = {"name": "Rosa Chan", "identity": "1801-12345"}
MAIL = "p-1@correo.example"


@pytest.fixture
async def house(databases: dict[str, str], tmp_path: Path) -> AsyncIterator[TestHouse]:
    documents = load_operator(another_operator(tmp_path / "altiplano"))
    async with open_test_house(databases, tmp_path, using=documents) as opened:
        yield opened


async def relocation(house: TestHouse, customer: str, **captured: Any) -> Any:
    """Credit writes down what the customer asks for. The balance is not written: the system knows it."""
    asked = {"direccion": "12 avenida 3-20", "desde": "2026-03-10", "edificio": False, **captured}
    return await house.post("/ticketing/tickets", {"procedure": "traslado", "customer_id": customer, "captured": asked}, CREDIT)


async def read(house: TestHouse, ticket: Any) -> Any:
    return await house.get(f"/ticketing/tickets/{ticket['id']}", OPERATIONS)


async def does(house: TestHouse, ticket: Any, path: str, person: str, body: dict[str, Any]) -> list[str]:
    """Somebody works on a step; the steps that are open then."""
    version = (await read(house, ticket))["version"]
    await house.post(f"/ticketing/tickets/{ticket['id']}/steps/{path}", body, person, if_match=f'"{version}"')
    return [each["code"] for each in (await read(house, ticket))["steps"] if each["state"] == "OPEN"]


async def finishes(house: TestHouse, ticket: Any, step: str, person: str, outcome: str = "done", **captured: Any) -> list[str]:
    return await does(house, ticket, f"{step}/finish", person, {"outcome": outcome, "captured": captured})


async def agrees(house: TestHouse, ticket: Any, day: str) -> None:
    appointment = {"day": day, "opens": "08:00", "closes": "10:30", "technician": "Wilmer Antúnez"}
    await does(house, ticket, "mover/appointment", OPERATIONS, appointment)


def last_mail(house: TestHouse) -> str:
    """What the customer was told last, its blanks made plain."""
    body = house.mails(to=MAIL)[-1].get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


async def test_a_customer_moves_at_the_second_attempt_and_says_nothing_more(house: TestHouse) -> None:
    (customer,) = await imported(house, OWN)
    await house.until("2026-03-02T09:00")
    ticket = await relocation(house, customer, edificio=True)
    facts = {each["name"]: each["text"] for each in ticket["facts"]}
    assert (facts["saldo"], facts["edificio"]) == ("Q1,120.00", "sí"), "nobody wrote the balance; it was looked up"
    assert facts["servicio"] == "Empresa 50 Mbps · p-1", "the only service that there is"

    # Lo que viene después no se pide antes: la negativa nombra lo que falta primero, no las vueltas.
    early = await house.as_(CREDIT).post(
        f"/ticketing/tickets/{ticket['id']}/steps/mover/finish",
        json={"outcome": "done"},
        headers={"Idempotency-Key": "antes", "If-Match": f'"{ticket["version"]}"'},
    )
    assert early.json()["remedy"] == "Antes debe terminarse «Operaciones revisa si hay cobertura»."

    # Con cobertura hacen falta el permiso y la cita; el aviso al cliente dice el día y las horas.
    assert await finishes(house, ticket, "factibilidad", OPERATIONS, metros="120.5") == ["permiso"]
    letter = await house.as_(CREDIT).post(
        f"/ticketing/documents?customer_id={customer}&name=permiso.pdf", content=b"%PDF-1.7", headers={"Idempotency-Key": "permiso"}
    )
    assert await finishes(house, ticket, "permiso", CREDIT, permiso=letter.json()["id"]) == ["mover"]
    await agrees(house, ticket, "2026-03-11")
    assert "Su traslado: miércoles 11 de marzo" in subjects(house, MAIL)
    assert "entre las 8:00 a. m. y las 10:30 a. m., llega Wilmer Antúnez." in last_mail(house)

    # Nadie abre; a la segunda visita queda hecho, no funciona, y se vuelve.
    assert await finishes(house, ticket, "mover", OPERATIONS, "absent") == ["mover"]
    await agrees(house, ticket, "2026-03-12")
    assert await finishes(house, ticket, "mover", OPERATIONS, equipo=[ONT], firma=SIGNED) == ["confirmar"]
    assert await finishes(house, ticket, "confirmar", CREDIT, "again", falla="No navega") == ["mover"]
    await agrees(house, ticket, "2026-03-13")
    paper = await house.as_(OPERATIONS).get(f"/ticketing/tickets/{ticket['id']}/steps/mover/work-order")
    assert paper.headers["content-type"] == "application/pdf"
    assert await finishes(house, ticket, "mover", OPERATIONS, equipo=[ONT], firma=SIGNED) == ["confirmar"]

    # A los dos días hábiles sin queja se da por conforme.
    await house.until("2026-03-06T00:00")
    assert await tickets(house, customer) == [("TRASLADO", "moved")]


async def test_without_coverage_the_customer_is_told_and_may_leave(house: TestHouse) -> None:
    (customer,) = await imported(house, OWN)
    await house.until("2026-03-02T09:00")
    ticket = await relocation(house, customer)
    assert await finishes(house, ticket, "factibilidad", OPERATIONS, "refused", por_que="No hay postes") == ["ofrecer"]
    assert "Por qué no hay: No hay postes." in last_mail(house)
    await finishes(house, ticket, "ofrecer", CREDIT, "leaves")
    assert await tickets(house, customer) == [("RETIRO PYMES", None), ("TRASLADO", "no_coverage")]


async def test_a_house_without_a_doorman_needs_no_permit(house: TestHouse) -> None:
    (customer,) = await imported(house, OWN)
    await house.until("2026-03-02T09:00")
    ticket = await relocation(house, customer)
    assert await finishes(house, ticket, "factibilidad", OPERATIONS, metros="12") == ["mover"]
