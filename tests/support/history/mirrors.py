"""What each service's tables must show, as it follows from what was told: of the subscribers, and of those who told it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.support.history.evidence import Evidence, Told

WHOLE, ADDED = ("billing.payment_reported.v1", "billing.payment_confirmed.v1"), "billing.payment_allocated.v1"
CREDITED, REVERSED = "billing.credit_note_issued.v1", "billing.payment_reversed.v1"
CUSTOMER = ("billing.customer_registered.v1", "billing.customer_changed.v1")
Expected = Mapping[str, Any]


class Facts:
    """What was told, by type."""

    def __init__(self, evidence: Evidence) -> None:
        self.by_type: dict[str, list[Told]] = defaultdict(list)
        for told in evidence.told.values():
            for each in told:
                self.by_type[each.type].append(each)

    def ids(self, kind: str, field: str) -> set[str]:
        """The things of which such an event was told."""
        return {each.data[field] for each in self.by_type[kind]}

    def last(self, kinds: Iterable[str], field: str) -> dict[str, Told]:
        """The last of these events of each thing."""
        found: dict[str, Told] = {}
        for each in (each for kind in kinds for each in self.by_type[kind]):
            if each.data[field] not in found or each.sequence > found[each.data[field]].sequence:
                found[each.data[field]] = each
        return found


class _Mark(str):
    """Any value, or none."""


SET, NULL = _Mark("something"), _Mark("nothing")


def _when(thing: str, things: set[str]) -> _Mark:
    return SET if thing in things else NULL


def _customers(**columns: str) -> Callable[[Facts], dict[str, Expected]]:
    """Each customer as it was told last: column → field."""

    def expected(facts: Facts) -> dict[str, Expected]:
        return {
            customer: {"of": customer, **{column: told.data[field] for column, field in columns.items()}}
            for customer, told in facts.last(CUSTOMER, "customer_id").items()
        }

    return expected


def _invoices_of_collections(facts: Facts) -> dict[str, Expected]:
    paid, voided = _paid(facts), facts.ids("billing.invoice_voided.v1", "invoice_id")
    overdue = facts.ids("billing.invoice_overdue.v1", "invoice_id")
    return {
        (invoice := each.data["invoice_id"]): {
            "of": each.key, "account_id": each.data["customer_id"], "number": each.data["number"], "total": Decimal(each.data["total"]),
            "balance": Decimal(each.data["balance"]), "paid_at": _when(invoice, paid), "voided_at": _when(invoice, voided),
            "overdue_at": _when(invoice, overdue),
        }
        for each in facts.by_type["billing.invoice_issued.v1"]
    }  # fmt: skip


def _payments_of_collections(facts: Facts) -> dict[str, Expected]:
    confirmed = facts.ids("billing.payment_confirmed.v1", "payment_id")
    rejected = facts.ids("billing.payment_rejected.v1", "payment_id")
    return {
        (payment := each.data["payment_id"]): {
            "of": each.key, "account_id": each.data["customer_id"], "amount": Decimal(each.data["amount"]),
            "reference": each.data["reference"], "confirmed_at": _when(payment, confirmed), "rejected_at": _when(payment, rejected),
        }
        for each in facts.by_type["billing.payment_reported.v1"]
    }  # fmt: skip


def _cuts_of_collections(facts: Facts) -> dict[str, Expected]:
    suspended = facts.ids("ticketing.service_suspended.v1", "suspension_id")
    reconnected = facts.ids("ticketing.service_reconnected.v1", "suspension_id")
    return {
        (cut := each.data["suspension_id"]): {
            "of": each.key, "suspended_at": _when(cut, suspended | reconnected), "reconnected_at": _when(cut, reconnected),
        }
        for each in facts.by_type["collections.suspension_requested.v1"]
    }  # fmt: skip


def _notices_of_collections(facts: Facts) -> dict[str, Expected]:
    accepted = facts.ids("notifier.message_accepted.v1", "reference")
    requested = facts.by_type["collections.suspension_notice_requested.v1"]
    return {each.data["notice_id"]: {"of": each.key, "accepted_at": _when(each.data["notice_id"], accepted)} for each in requested}


def _parts(facts: Facts) -> dict[str, Expected]:
    """What of each payment goes to each invoice: the whole as a payment tells it, what is added later, without what a credit note freed."""
    found: dict[str, Expected] = {}
    told = [each for kind in (*WHOLE, ADDED, CREDITED) for each in facts.by_type[kind]]
    for each in sorted(told, key=lambda each: (each.xid or 0, each.sequence)):  # of one customer, whose transactions wait for each other
        parts = [(each.data["payment_id"], part) for part in each.data.get("allocations", ())] if each.type != CREDITED else []
        parts += [(part["payment_id"], {"invoice_id": each.data["invoice_id"], **part}) for part in each.data.get("freed", ())]
        for payment, part in parts:
            name, amount = f"{payment}/{part['invoice_id']}", Decimal(part["amount"])
            before = found[name]["amount"] if each.type not in WHOLE and name in found else Decimal(0)
            found[name] = {"of": each.key, "amount": before + (amount if each.type != CREDITED else -amount)}
    return found


def _credited(facts: Facts) -> dict[str, Decimal]:
    """What credit notes took off each invoice."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for each in facts.by_type[CREDITED]:
        found[each.data["invoice_id"]] += Decimal(each.data["amount"])
    return found


def _paid(facts: Facts) -> set[str]:
    """The invoices that are paid, and were not opened again by a payment that went back."""
    last: dict[str, tuple[int, bool]] = {}
    for each in facts.by_type["billing.invoice_paid.v1"]:
        last[each.data["invoice_id"]] = max(last.get(each.data["invoice_id"], (0, True)), (each.xid or 0, True))
    for each in facts.by_type[REVERSED]:
        for part in each.data["allocations"]:
            last[part["invoice_id"]] = max(last.get(part["invoice_id"], (0, False)), (each.xid or 0, False))
    return {invoice for invoice, (_, paid) in last.items() if paid}


def _connections(facts: Facts) -> dict[str, Expected]:
    """Which service hangs on which node."""
    last = facts.last(CUSTOMER, "customer_id").values()
    sold = [(told.key, each) for told in last for each in told.data["services"] if each["access_node"] is not None]
    return {each["service_id"]: {"of": key, "customer_id": key, "access_node": each["access_node"]} for key, each in sold}


def _outages(facts: Facts) -> dict[str, Expected]:
    closed = facts.ids("noc.outage_closed.v1", "outage_id")
    return {
        (outage := each.data["outage_id"]): {
            "of": each.key, "access_node": each.data["access_node"], "closed_at": _when(outage, closed),
        }
        for each in facts.by_type["noc.outage_declared.v1"]
    }  # fmt: skip


def _invoices_of_ticketing(facts: Facts) -> dict[str, Expected]:
    credited = _credited(facts)
    voided = facts.ids("billing.invoice_voided.v1", "invoice_id")
    return {
        (invoice := each.data["invoice_id"]): {
            "of": each.key, "customer_id": each.data["customer_id"], "balance": Decimal(each.data["balance"]), "voided": invoice in voided,
            "credited": credited[invoice],
        }
        for each in facts.by_type["billing.invoice_issued.v1"]
    }  # fmt: skip


def _payments_of_ticketing(facts: Facts) -> dict[str, Expected]:
    states = dict.fromkeys(facts.ids("billing.payment_confirmed.v1", "payment_id"), "CONFIRMED")
    states |= dict.fromkeys(facts.ids("billing.payment_rejected.v1", "payment_id") | facts.ids(REVERSED, "payment_id"), "REJECTED")
    reported = facts.by_type["billing.payment_reported.v1"]
    return {each.data["payment_id"]: {"of": each.key, "state": states.get(each.data["payment_id"], "REPORTED")} for each in reported}


def _orders_of_ticketing(facts: Facts) -> dict[str, Expected]:
    """Each order to cut has its ticket; what ticketing told of it is what it shows."""
    suspended = facts.ids("ticketing.service_suspended.v1", "suspension_id")
    reconnected = facts.ids("ticketing.service_reconnected.v1", "suspension_id")
    cancelled = {each.data["suspension_id"]: each.data["cause"] for each in facts.by_type["ticketing.suspension_cancelled.v1"]}
    found: dict[str, Expected] = {}
    for each in facts.by_type["collections.suspension_requested.v1"]:
        cut = each.data["suspension_id"]
        ended = None if cut not in cancelled else "REFUSED" if cancelled[cut] == "refused" else "CANCELLED"
        state = ended or ("RECONNECTED" if cut in reconnected else "SUSPENDED" if cut in suspended else "REQUESTED")
        found[cut] = {"of": each.key, "customer_id": each.data["customer_id"], "state": state, "ticket_id": SET}
    return found


def _invoices_of_notifier(facts: Facts) -> dict[str, Expected]:
    paid, voided, credited = _paid(facts), facts.ids("billing.invoice_voided.v1", "invoice_id"), _credited(facts)
    rejected = facts.ids("billing.payment_rejected.v1", "payment_id") | facts.ids(REVERSED, "payment_id")
    believed: dict[str, Decimal] = defaultdict(Decimal)
    for name, part in _parts(facts).items():
        payment, _, invoice = name.partition("/")
        believed[invoice] += part["amount"] if payment not in rejected else 0
    found: dict[str, Expected] = {}
    for each in facts.by_type["billing.invoice_issued.v1"]:
        invoice = each.data["invoice_id"]
        left = Decimal(each.data["balance"]) - credited[invoice] - believed[invoice]
        owed = max(left, Decimal(0)) if invoice not in paid | voided else Decimal(0)
        shown = {"number": each.data["number"], "paid_at": _when(invoice, paid), "voided": invoice in voided, "open_amount": owed}
        found[invoice] = {"of": each.key, **shown}
    return found


def _segments(facts: Facts) -> dict[str, Expected]:
    last = facts.last(["collections.segment_changed.v1"], "customer_id")
    return {customer: {"of": customer, "policy": told.data["policy"]} for customer, told in last.items()}


def _agents(facts: Facts) -> dict[str, Expected]:
    last = facts.last(["collections.agent_assigned.v1"], "customer_id")
    return {customer: {"of": customer, "agent": told.data["agent"]} for customer, told in last.items()}


def _customers_of_billing(facts: Facts) -> dict[str, Expected]:
    segments = _segments(facts)
    known = _customers(name="name", external_id="external_id", tax_id="tax_id")(facts)
    return {customer: {**shown, **segments.get(customer, {})} for customer, shown in known.items()}


def _invoices_of_billing(facts: Facts) -> dict[str, Expected]:
    paid, voided = _paid(facts), facts.ids("billing.invoice_voided.v1", "invoice_id")
    overdue = facts.ids("billing.invoice_overdue.v1", "invoice_id")
    found: dict[str, Expected] = {}
    for each in facts.by_type["billing.invoice_issued.v1"]:
        invoice = each.data["invoice_id"]
        state = "VOIDED" if invoice in voided else "PAID" if invoice in paid else "OPEN"
        shown = {"customer_id": each.data["customer_id"], "number": each.data["number"], "total": Decimal(each.data["total"])}
        found[invoice] = {**shown, "state": state, "overdue_at": _when(invoice, overdue)}
    return found


def _payments_of_billing(facts: Facts) -> dict[str, Expected]:
    states = {payment: shown["state"] for payment, shown in _payments_of_ticketing(facts).items()}
    states |= dict.fromkeys(facts.ids(REVERSED, "payment_id"), "REVERSED")
    return {
        (payment := each.data["payment_id"]): {
            "customer_id": each.data["customer_id"], "amount": Decimal(each.data["amount"]), "reference": each.data["reference"],
            "channel": each.data["channel"], "state": states[payment],
        }
        for each in facts.by_type["billing.payment_reported.v1"]
    }  # fmt: skip


def _tickets(facts: Facts) -> dict[str, Expected]:
    outcomes = {each.data["ticket_id"]: each.data["outcome"] for each in facts.by_type["ticketing.ticket_closed.v1"]}
    opened = [each.data["ticket_id"] for each in facts.by_type["ticketing.ticket_opened.v1"]]
    return {ticket: {"outcome": outcomes.get(ticket), "closed_at": SET if ticket in outcomes else NULL} for ticket in opened}


def _accounts(facts: Facts) -> dict[str, Expected]:
    last = facts.last(["collections.status_changed.v1"], "customer_id")
    found = _customers(name="name", external_id="external_id")(facts)
    return {account: {**shown, **({"status": last[account].data["code"]} if account in last else {})} for account, shown in found.items()}


def _messages(facts: Facts) -> dict[str, Expected]:
    return {message: {"accepted_at": SET} for message in facts.ids("notifier.message_accepted.v1", "message_id")}


MIRRORS: dict[str, dict[str, Callable[[Facts], Mapping[str, Expected]]]] = {
    "billing": {"customer": _customers_of_billing, "invoice": _invoices_of_billing, "payment": _payments_of_billing},
    "collections": {
        "account": _accounts,
        "invoice": _invoices_of_collections,
        "payment": _payments_of_collections,
        "payment_part": _parts,
        "suspension": _cuts_of_collections,
        "suspension_notice": _notices_of_collections,
        "outage": _outages,
    },
    "ticketing": {
        "customer": _customers(name="name", external_id="external_id", agent="assigned_agent"),
        "portfolio": _agents,
        "invoice": _invoices_of_ticketing,
        "payment": _payments_of_ticketing,
        "allocation": _parts,
        "suspension": _orders_of_ticketing,
        "ticket": _tickets,
    },
    "notifier": {
        "message": _messages,
        "customer": _customers(name="name", tax_id="tax_id", agent="assigned_agent"),
        "assignment": _segments,
        "invoice": _invoices_of_notifier,
    },
    "noc": {"connection": _connections, "outage": _outages},
}
KEYS = {
    ("notifier", "assignment"): ("customer_id",),
    ("ticketing", "portfolio"): ("customer_id",),
    ("ticketing", "allocation"): ("payment_id", "invoice_id"),
    ("collections", "payment_part"): ("payment_id", "invoice_id"),
    ("noc", "connection"): ("service_id",),
}
# Tables that hold nothing but what was told by exactly these events.
TOLD_ALONE = {
    *(("billing", table) for table in ("customer", "invoice")),
    ("ticketing", "ticket"),
    ("noc", "outage"),
    *(("collections", table) for table in ("account", "invoice", "outage")),
    *(("ticketing", table) for table in ("customer", "invoice")),
    *(("notifier", table) for table in ("customer", "invoice")),
    ("noc", "connection"),
}
