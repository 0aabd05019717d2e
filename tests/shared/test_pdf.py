"""The invoice on paper: what is on it, that it is the same every time, and that no data is read as markup."""

import asyncio
import json
import signal
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from shared.pdf import printed, render_invoice
from shared.press import PdfFailed, Shop
from shared.typesetter import Document
from tests.support.service import OPERATOR_FOLDER, operator

STAMP = "2026-03-01T06:00:00+00:00"
SAMPLE = json.loads(Path("tests/contracts/golden/billing.invoice_issued.v1.json").read_text())["data"]


def invoice(**changes: Any) -> dict[str, Any]:
    customer = {"name": "Hotel Maya Real, S. A.", "external_id": "C-000412", "tax_id": "05019001004321", "agent": "ana.martinez"}
    customer["email"] = "pagos@hotelmaya.example"
    return {**SAMPLE, "customer": customer, **changes}


def read(pdf: bytes) -> tuple[str, int]:
    """The text on all pages, with its blanks evened out, and how many pages there are."""
    pages = PdfReader(BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split()), len(pages)


def line(number: int, tax: str = "isv15") -> dict[str, str]:
    rate = "0.15" if tax == "isv15" else "0"
    amount = Decimal("100.00") * number
    part = amount * Decimal(rate)
    return {
        "description": f"Enlace {number} de la Cooperativa Mixta de Ahorro y Crédito de los Trabajadores del Valle de Sula, marzo 2026",
        "quantity": "1.0000", "base": str(amount), "tax_code": tax, "tax_rate": rate, "tax": str(part), "total": str(amount + part),
    }  # fmt: skip


def test_everything_that_a_fiscal_invoice_needs_is_on_it() -> None:
    text, pages = read(render_invoice(operator(), invoice()))
    assert pages == 1
    for words in (
        "Red Sula Telecomunicaciones, S.A. de C.V.", "RTN 05019018012345", "000-001-01-00000412", "Hotel Maya Real, S. A.", "C-000412",
        "RTN 05019001004321", "pagos@hotelmaya.example",
        "1 de marzo de 2026", "5 de marzo de 2026", "Internet dedicado 50 Mbps, marzo 2026", "$1,200.00", "$180.00", "$1,380.00", "15 %",
        "A1B2C3-D4E5F6-07890A", "000-001-01-00000001 – 000-001-01-00500000", "31 de diciembre de 2027", "Ana Martínez", "Página 1 de 1",
    ):  # fmt: skip
        assert words in text, words


def test_the_same_invoice_is_the_same_file() -> None:
    one, other = render_invoice(operator(), invoice()), render_invoice(operator(), invoice(number="000-001-01-00000413"))
    assert one == render_invoice(operator(), invoice())
    assert one != other


def test_twelve_long_lines_with_and_without_tax_take_two_pages_that_add_up() -> None:
    lines = [line(number, "isv15" if number % 3 else "exento") for number in range(1, 13)]
    sums = {name: str(sum(Decimal(each[name]) for each in lines)) for name in ("base", "tax", "total")}
    text, pages = read(render_invoice(operator(), invoice(lines=lines, **sums, balance=sums["total"])))
    assert pages == 2 and "Página 2 de 2" in text
    assert text.count("exento") == 4 and "$8,520.00" in text and "ISV 15 % sobre $4,800.00" in text and "Exento sobre $3,000.00" in text


def test_an_invoice_of_another_system_has_one_line_and_no_permission_to_print() -> None:
    text, _ = read(render_invoice(operator(), invoice(lines=[], fiscal_code=None, origin="opening")))
    assert "Saldo de la factura" in text and "CAI" not in text


def test_what_is_left_to_pay_and_a_void_invoice_say_so() -> None:
    text, _ = read(render_invoice(operator(), invoice(balance="380.0000")))
    assert "Pendiente de pago $380.00" in text
    assert "ANULADA" in read(render_invoice(operator(), invoice(voided=True)))[0]
    assert "ANULADA" not in text


def test_a_paid_invoice_says_so_and_asks_for_nothing() -> None:
    paid = invoice(balance="0.0000", paid_at="2026-03-06T03:30:00+00:00")
    text, _ = read(render_invoice(operator(), paid))
    assert "PAGADA el 5 de marzo de 2026" in text  # the operator's day
    assert not [words for words in ("PÁGUESE", "TOTAL A PAGAR", "$0.00", "Haga el pago", "Pendiente de pago") if words in text]
    assert "PAGADA" in read(render_invoice(operator(), invoice(balance="0.0000")))[0]
    assert "PAGADA" not in read(render_invoice(operator(), invoice(balance="0.0000", voided=True)))[0]
    assert "TOTAL A PAGAR" in read(render_invoice(operator(), invoice()))[0]


def test_a_name_is_never_read_as_markup() -> None:
    name = '#panic("x") *negrita* $x^2$ \\ @cita <etiqueta> {{ 7*7 }} "'
    text, _ = read(render_invoice(operator(), invoice(customer={"name": name, "external_id": "#1"})))
    assert '#panic("x") *negrita* $x^2$' in text and "<etiqueta> {{ 7*7 }}" in text


def test_a_template_that_does_not_compile_says_where(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "invoice.typ").write_text("#no-such-function()")
    broken = operator().model_copy(update={"folder": tmp_path, "fingerprint": "broken"})
    with pytest.raises(PdfFailed, match="no-such-function"):
        render_invoice(broken, invoice())


def test_who_prints_may_end_between_two_documents_and_in_the_middle_of_one() -> None:
    shop = Shop()
    first = shop.print(job("Hola"))
    process = shop._process
    assert process is not None
    process.kill()
    process.wait()
    assert shop.print(job("Hola")) == first
    process = shop._process
    assert process is not None
    with ThreadPoolExecutor(1) as hands:
        process.send_signal(signal.SIGSTOP)
        printing = hands.submit(shop.print, job("Hola"))
        process.kill()
        assert printing.result() == first
    assert shop._process is not None
    assert shop._process.stdin is not None
    shop._process.stdin.close()  # as when we end
    assert shop._process.wait(10) == 0
    shop.close()


def test_who_prints_and_does_not_come_to_an_end_is_ended() -> None:
    shop = Shop(patience=5.0)
    first = shop.print(job("Hola"))
    assert shop._process is not None
    shop._process.send_signal(signal.SIGSTOP)
    assert shop.print(job("Hola")) == first
    shop.close()


async def test_others_go_on_while_one_prints() -> None:
    waits = [asyncio.create_task(asyncio.to_thread(render_invoice, operator(), invoice(number=f"N-{n}"))) for n in range(30)]
    turns = 0
    while not all(each.done() for each in waits):
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 100  # it was twice for an invoice while the compiler held the interpreter


def job(text: str) -> Document:
    return Document(
        str(OPERATOR_FOLDER.resolve()), "invoice.typ", json.dumps(printed(operator(), invoice(number=text))), STAMP, codes=("qr",)
    )
