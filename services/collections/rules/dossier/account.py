"""The parts of a dossier about the customer and its money."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.collections.rules.dossier.blocks import heading, pairs, section, table
from services.collections.rules.dossier.ledger import ZERO, Bill, Paid
from services.collections.rules.dossier.story import Story
from services.collections.rules.wording import month
from shared.events.billing import CreditNoteIssued, PaymentReversed, ServicePlanChanged
from shared.operator import words

DELIVERIES = {"own": "directa", "third_party": "por terceros"}


def contract(story: Story) -> dict[str, Any]:
    """Who the customer is and what was contracted."""
    known, operator = story.content["customer"], story.operator
    facts = pairs([
        ("Nombre", known["name"]),
        ("Código de cliente", f"{known['external_id']} ({known['external_source']})"),
        ("Identificación tributaria", known.get("tax_id") or ""),
        ("Contrato desde", story.day(known["contract_start"])),
        ("Contrato hasta", story.day(known["contract_end"])),
        ("Mensualidad", story.money(known["monthly_amount"])),
        ("Política de cobros", operator.policy(known["policy"]).name),
        ("Gestor asignado", story.who(known["agent"])),
        ("Proveedor de internet (ISP)", "sí" if known["is_isp"] else ""),
        ("Negociación especial", known["special_negotiation"] or ""),
        ("Estado al llegar", known["opening_status"] or ""),
    ])  # fmt: skip
    services = table(
        ("*Plan", "Entrega", "Nodo", "Usuario de red", "Mensualidad", "Desde", "Hasta"),
        [_service(story, each) for each in known["services"]],
        none="No hay servicios registrados.",
        figures=[4],
        code=[2, 3],
    )
    people = table(
        ("*Nombre", "*Cargo", "*Correo", "Teléfono"),
        [(each["name"], each["role"], each["email"] or "", each["phone"] or "") for each in known["contacts"]],
        none="No hay personas de contacto registradas.",
    )
    blocks = [facts, heading("Servicios contratados"), services, heading("Personas de contacto"), people, *_plan_changes(story)]
    return section("El cliente y su contrato", *blocks)


def _plan_changes(story: Story) -> list[dict[str, Any]]:
    changes = [
        (story.stamp(told.at), story.day(event.effective_from.isoformat()), event.from_plan, event.to_plan, event.reason)
        for told, event in story.of(ServicePlanChanged)
    ]
    if not changes:
        return []
    return [heading("Cambios de plan"), table(("Fecha", "Desde", "Plan anterior", "Plan nuevo", "*Motivo"), changes, none="")]


def _service(story: Story, sold: dict[str, Any]) -> tuple[str, ...]:
    names = {each.code: each.name for each in story.operator.plans}
    return (
        names.get(sold["plan_code"], sold["plan_code"]),
        DELIVERIES.get(sold["delivery"], sold["delivery"]),
        sold["access_node"] or "",
        sold["network_login"] or "",
        story.money(sold["monthly_amount"]),
        story.day(sold["active_from"]),
        story.day(sold["active_to"]),
    )


def invoices(story: Story) -> dict[str, Any]:
    """Every invoice with what was paid of it and what is owed on it, and what it charged."""
    bills = story.ledger.bills
    owed, disputed = story.ledger.owed(), sum((sum(each.disputes.values(), ZERO) for each in bills.values()), ZERO)
    totals = pairs([
        ("Facturas emitidas", f"{len(bills)}"),
        ("Saldo que se debe", story.money(owed)),
        ("De ello, en disputa", story.money(disputed) if disputed else ""),
    ])  # fmt: skip
    listed = table(
        ("Factura", "*Mes", "Emitida", "Vence", "Importe", "Pagado", "Acreditado", "Se debe", "*Situación"),
        [_bill(story, bill) for bill in bills.values()],
        none="No se ha emitido ninguna factura.",
        figures=[4, 5, 6, 7],
    )
    lines = table(
        ("Factura", "*Concepto", "Importe", "Impuesto", "Total"),
        [row for bill in bills.values() for row in _lines(story, bill)],
        none="Las facturas vienen de otro sistema, sin el detalle de sus conceptos.",
        figures=[2, 3, 4],
    )
    notes = [_credit(story, each) for bill in bills.values() for each in bill.credits]
    credited = [
        heading("Notas de crédito"),
        table(("Número", "Fecha", "Factura", "Importe", "*Motivo"), notes, none="", figures=[3]),
    ]
    return section("Facturas y saldo", totals, listed, heading("Conceptos facturados"), lines, *(credited if notes else []))


def _bill(story: Story, bill: Bill) -> tuple[str, ...]:
    issued, paid = bill.issued, story.ledger.paid(bill.issued.invoice_id)
    left = story.ledger.open(issued.invoice_id)
    return (
        issued.number,
        month(story.operator, issued.period),
        story.day(issued.issue_date.isoformat()),
        story.day(issued.due_date.isoformat()),
        story.money(issued.balance),
        story.money(paid) if paid else "",
        story.money(bill.credited) if bill.credits else "",
        story.money(left) if left else "",
        _situation(story, bill, left > ZERO),
    )


def _situation(story: Story, bill: Bill, is_open: bool) -> str:
    if bill.voided:
        return f"anulada: {bill.voided.reason}"
    if not is_open:
        return f"pagada el {story.stamp(bill.paid_at)[:10]}" if bill.paid_at else "reportada como pagada"
    return "pendiente, en disputa" if bill.disputes else "pendiente"


def _lines(story: Story, bill: Bill) -> Iterator[tuple[str, ...]]:
    for each in bill.issued.lines:
        yield bill.issued.number, each.description, story.money(each.base), story.money(each.tax), story.money(each.total)


def _credit(story: Story, note: CreditNoteIssued) -> tuple[str, ...]:
    return note.number, story.stamp(note.issued_at), story.words.invoice(note.invoice_id).strip(), story.money(note.amount), note.reason


def payments(story: Story) -> dict[str, Any]:
    """Every payment, what it paid, and whether the money came."""
    listed = table(
        ("Reportado", "Importe", "*Canal y referencia", "Reportado por", "*Aplicado a", "*Situación"),
        [_payment(story, each) for each in story.ledger.payments.values()],
        none="No se ha reportado ningún pago.",
        figures=[1],
    )
    return section("Pagos", listed)


def _payment(story: Story, paid: Paid) -> tuple[str, ...]:
    parts = [f"{story.words.invoice(key).strip()}: {story.money(amount)}" for key, amount in paid.parts.items() if amount]
    how = f"{paid.channel}, {paid.reference}" if paid.reference else paid.channel
    return story.stamp(paid.at), story.money(paid.amount), how, story.who(paid.reported_by), "\n".join(parts), _settled(story, paid)


def _settled(story: Story, paid: Paid) -> str:
    if isinstance(paid.undone, PaymentReversed):
        what = "era de otro cliente" if paid.undone.moved_to else "devuelto por el banco"
        return f"{what} el {story.stamp(paid.undone.reversed_at)}: {paid.undone.reason}"
    if paid.undone is not None:
        return f"rechazado el {story.stamp(paid.undone.rejected_at)}: {paid.undone.reason}"
    return f"confirmado el {story.stamp(paid.confirmed_at)}" if paid.confirmed_at else "sin confirmar"


def summary(story: Story) -> list[tuple[str, str]]:
    """What the cover says at a glance."""
    known = story.content["customer"]
    policy = story.operator.policy(known["policy"])
    labels: Mapping[Any, str] = policy.statuses
    return [
        ("Saldo que se debe", story.money(story.ledger.owed())),
        ("Estado", labels.get(known["status"], known["status"])),
        ("Desde el", words.day(story.operator, known["status_since"][:10])),
    ]
