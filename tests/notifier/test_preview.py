"""`reconecta notice preview`: how a notice looks, before anybody gets it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.notifier.models import Customer
from shared.operator.templates import CUSTOMER
from tests.support.another_operator import another_operator
from tests.support.service import OPERATOR_FOLDER, operator


def test_every_notice_can_be_looked_at(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["notice", "preview", "todos", "--operator", str(OPERATOR_FOLDER), "--to", str(tmp_path)])
    assert answer.exit_code == 0, answer.output
    assert {each.stem for each in tmp_path.glob("*.html")} == {each.stem for each in tmp_path.glob("*.txt")} == set(operator().notices)
    page, text = (tmp_path / f"factura_del_mes.{ending}" for ending in ("html", "txt"))
    assert "data:image/png;base64," in page.read_text() and "cid:" not in page.read_text(), "it can be opened as it is"
    assert text.read_text().startswith("Su factura de ")


@pytest.mark.parametrize(
    ("code", "shows"),
    [
        ("traslado_cita", "entre las 8:00 a. m. y las 8:00 a. m., llega Wilmer Antúnez."),
        ("traslado_sin_cobertura", "Hotel Maya Real, S. A.: ejemplo: ejemplo."),
    ],
)
def test_hours_are_read_as_hours_and_a_list_has_something_in_it(tmp_path: Path, code: str, shows: str) -> None:
    folder = another_operator(tmp_path / "altiplano")
    answer = CliRunner().invoke(app, ["notice", "preview", code, "--operator", str(folder), "--to", str(tmp_path)])
    assert answer.exit_code == 0, answer.output
    assert shows in " ".join((tmp_path / f"{code}.txt").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("code", ["pago_recibdo"])
def test_an_unknown_notice_is_answered_with_the_nearest(tmp_path: Path, code: str) -> None:
    answer = CliRunner().invoke(app, ["notice", "preview", code, "--operator", str(OPERATOR_FOLDER), "--to", str(tmp_path)])
    assert answer.exit_code == 1 and "pago_recibido" in answer.output
    assert list(tmp_path.iterdir()) == []


def test_templates_may_speak_of_what_is_kept_of_a_customer_and_of_no_more() -> None:
    assert set(Customer.model_fields) == CUSTOMER
