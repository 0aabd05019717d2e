"""Invoices and credit notes on paper, laid out by the operator's own templates (`templates/invoice.typ`, `templates/credit_note.typ`)."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shared.operator import Operator, words
from shared.press import print_short


def render_invoice(operator: Operator, invoice: Mapping[str, Any]) -> bytes:
    """An invoice as PDF: the same input makes the same bytes.

    `invoice` is the JSON of an InvoiceIssued event with a `customer` (`name`, `external_id`, and `tax_id`, `agent` or `email` if known)
    and, where it no longer counts, `voided: true`, or where it is paid, `paid_at`. Blocking, some 20 ms of
    another process: call it in a thread. Raises PdfFailed.
    """
    data = json.dumps(printed(operator, invoice), ensure_ascii=False, sort_keys=True)
    return print_short(operator, "invoice.typ", data, _midnight(invoice, operator), "qr")


def render_credit_note(operator: Operator, note: Mapping[str, Any]) -> bytes:
    """A credit note as PDF, in the same way: `number`, `issue_date`, amounts, `lines`, `fiscal_*`, `customer` as an invoice has them, the
    `reason`, and the `invoice` (`number`, `issue_date`) that it credits. Raises PdfFailed."""
    data = json.dumps(printed_note(operator, note), ensure_ascii=False, sort_keys=True)
    return print_short(operator, "credit_note.typ", data, _midnight(note, operator))


def printed_note(operator: Operator, note: Mapping[str, Any]) -> dict[str, Any]:
    """What the template of credit notes prints: texts only."""
    return {
        **_paper(operator, note),
        "reason": str(note["reason"]).rstrip("."),
        "invoice": {"number": note["invoice"]["number"], "issued": words.day(operator, note["invoice"]["issue_date"])},
    }


def printed(operator: Operator, invoice: Mapping[str, Any]) -> dict[str, Any]:
    """What the template prints: texts only; `qr` is what the code says."""
    currency = str(invoice["currency"])
    balance = Decimal(str(invoice["balance"]))
    return {
        **_paper(operator, invoice),
        "voided": bool(invoice.get("voided")),
        "paid": _paid(operator, invoice),
        "period": words.month(operator, invoice["period"]),
        "due": words.day(operator, invoice["due_date"]),
        "due_weekday": words.weekday(operator, invoice["due_date"]),
        "balance": words.money(operator, balance, currency) if balance not in (0, Decimal(str(invoice["total"]))) else "",
        "qr": _coded(operator, invoice),
    }


def _paper(operator: Operator, paper: Mapping[str, Any]) -> dict[str, Any]:
    """What invoices and credit notes have in common."""
    currency, customer = str(paper["currency"]), paper["customer"]
    agent = operator.person(customer.get("agent") or "")
    return {
        "issuer": _issuer(operator),
        "customer": {
            "name": customer["name"],
            "id": customer["external_id"],
            "tax_id": customer.get("tax_id") or "",
            "email": customer.get("email") or "",
        },
        "number": paper["number"],
        "issued": words.day(operator, paper["issue_date"]),
        "lines": [_line(operator, each, currency) for each in _lines(paper)],
        "base": words.money(operator, paper["base"], currency),
        "taxes": _taxes(operator, paper, currency),
        "total": words.money(operator, paper["total"], currency),
        "currency": currency,
        "fiscal": _fiscal(operator, paper),
        "contact": {"name": agent.name, "email": agent.email} if agent else {"name": "", "email": operator.mail_from},
    }


def _paid(operator: Operator, invoice: Mapping[str, Any]) -> dict[str, str]:
    """That nothing is left to pay, and since which day if that is known; empty while something is owed."""
    if invoice.get("voided") or not (invoice.get("paid_at") or Decimal(str(invoice["balance"])) == 0):
        return {}
    return {"on": words.day(operator, datetime.fromisoformat(str(invoice["paid_at"]))) if invoice.get("paid_at") else ""}


def _issuer(operator: Operator) -> dict[str, str]:
    names = ("name", "legal_name", "tax_id", "address", "phone", "website")
    return {name: str(getattr(operator, name)) for name in names}


def _lines(invoice: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The invoice's lines; one that came from another system without any is printed as the one amount that is known."""
    if invoice.get("lines"):
        return list(invoice["lines"])
    total = {name: invoice[name] for name in ("base", "tax", "total")}
    return [{"description": "Saldo de la factura", "quantity": "1", "tax_rate": None, **total}]


def _line(operator: Operator, line: Mapping[str, Any], currency: str) -> dict[str, str]:
    rate = line["tax_rate"]
    return {
        "description": str(line["description"]),
        "quantity": words.number(operator, line["quantity"]),
        "base": words.money(operator, line["base"], currency),
        "rate": "" if rate is None else "exento" if Decimal(str(rate)) == 0 else words.percent(operator, rate),
        "total": words.money(operator, line["total"], currency),
    }


def _taxes(operator: Operator, invoice: Mapping[str, Any], currency: str) -> list[dict[str, str]]:
    """One row per tax of the lines: its name, what it is taken of, and how much it is."""
    names = {each.code: each.name for each in operator.taxes}
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for line in invoice.get("lines") or []:
        base, tax = sums.get(line["tax_code"], (Decimal(0), Decimal(0)))
        sums[line["tax_code"]] = (base + Decimal(str(line["base"])), tax + Decimal(str(line["tax"])))
    return [
        {
            "name": names.get(code, code),
            "base": words.money(operator, base, currency),
            "tax": words.money(operator, tax, currency),
        }
        for code, (base, tax) in sorted(sums.items())
    ] or [{"name": "Impuesto", "base": "", "tax": words.money(operator, invoice["tax"], currency)}]


def _fiscal(operator: Operator, invoice: Mapping[str, Any]) -> dict[str, str]:
    """The tax authority's permission to print this number; empty where another system issued the invoice."""
    if not invoice.get("fiscal_code"):
        return {}
    return {
        "code": str(invoice["fiscal_code"]),
        "range": str(invoice.get("fiscal_range") or ""),
        "expires": words.day(operator, invoice["fiscal_expires"]) if invoice.get("fiscal_expires") else "",
    }


def _coded(operator: Operator, invoice: Mapping[str, Any]) -> str:
    """Number, amount and due date for whoever pays with a camera."""
    amount = Decimal(str(invoice["balance"])).quantize(Decimal(1).scaleb(-operator.money_digits))
    return f"{operator.tax_id}|{invoice['number']}|{amount} {invoice['currency']}|{invoice['due_date']}"


def _midnight(invoice: Mapping[str, Any], operator: Operator) -> datetime:
    """The PDF's own date: the start of the invoice's day, so that printing twice makes the same file."""
    return datetime.combine(date.fromisoformat(str(invoice["issue_date"])), datetime.min.time(), tzinfo=operator.zone).astimezone(UTC)
