"""Notices as data: which events they follow from, and what is wrong with one before anything starts."""

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.operator import Notice, check_operator
from tests.notifier.samples import golden
from tests.support.service import OPERATOR_FOLDER


def notice(**changes: object) -> Notice:
    base = {"code": "x", "name": "x", "on": "ticketing.ticket_closed.v1", "to": {"desks": ["cobros"]}, "template": "x"}
    return Notice.model_validate({**base, **changes})


def test_a_field_equals_or_is_one_of_or_is_none_of() -> None:
    closed = golden("ticketing.ticket_closed.v1", outcome="suspended")
    assert notice(when={"outcome": "suspended"}).applies_to(closed)
    assert notice(when={"outcome": ["refused", "suspended"]}).applies_to(closed)
    assert notice(when={"outcome": {"not": "cancelled"}}).applies_to(closed)
    assert not notice(when={"outcome": {"not": ["suspended", "cancelled"]}}).applies_to(closed)
    assert not notice(when={"outcome": "suspended", "kind": "otro"}).applies_to(closed)
    assert not notice(on="billing.invoice_paid.v1").applies_to(closed)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"on": "notifier.message_failed.v1"}, "no terminaría nunca"),
        ({"on": "noc.outage_declared.v1", "to": {"customer": True}}, "no trata de un cliente"),
        ({"attach": ["invoice"]}, "no trata de una factura"),
        ({"to": {"desks": ["cobros"], "customer": True}}, "uno de ellos"),
        ({"to": {"desks": ["cobros"], "roles": ["billing"]}}, "customer: true"),
        ({"when": {"outcome": {"except": "x"}}}, "not"),
    ],
)
def test_an_impossible_notice_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        notice(**changes)


@pytest.mark.parametrize(
    ("ending", "text", "line", "words"),
    [
        ("txt.j2", "uno\n{{ event.amont }}", 2, "el evento no tiene «amont» (¿quiso decir «amount»?)"),
        ("mjml.j2", "\n\n{{ custmer.name }}", 3, "no existe «custmer» (¿quiso decir «customer»?)"),
        ("subject.txt.j2", "{{ event.amount | mony }}", 1, "no existe el filtro «mony» (¿quiso decir «money»?)"),
        ("txt.j2", "{% if event.amount is defind %}x{% endif %}", 1, "no existe la prueba «defind» (¿quiso decir «defined»?)"),
        ("txt.j2", "{% for each in open_invoices %}{{ each.number }}{{ eech }}{% endfor %}", 1, "no existe «eech»"),
    ],
)
def test_a_slip_in_a_template_is_found_before_anything_starts(tmp_path: Path, ending: str, text: str, line: int, words: str) -> None:
    folder = tmp_path / "operator"
    shutil.copytree(OPERATOR_FOLDER, folder, ignore=shutil.ignore_patterns("books"))
    (folder / "templates" / f"pago_recibido.{ending}").write_text(text)
    _, mistakes = check_operator(folder)
    [mistake] = mistakes
    assert (mistake.file, mistake.line) == (f"templates/pago_recibido.{ending}", line)
    assert words in mistake.message
