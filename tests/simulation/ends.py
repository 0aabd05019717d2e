"""How each customer of a world must have ended, by its script and by what it was answered; whatever came in between."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from tests.simulation.people import Customer
from tests.support.history import Evidence
from tests.support.history.evidence import Row

CUT = ("SUSPENDED", "RECONNECTING")
Rows = Mapping[str, Sequence[Row]]


def expectations(customers: Sequence[Customer], evidence: Evidence) -> Iterator[str]:
    """What is not as it must be, customer by customer."""
    billing, collections = evidence.services["billing"].tables, evidence.services["collections"].tables
    payments, invoices = _by("customer_id", billing["payment"]), _by("customer_id", billing["invoice"])
    cuts, accounts = _by("account_id", collections["suspension"]), _by("id", collections["account"])
    made = {what: _by("account_id", collections[table]) for what, table in MADE.items()}
    off = {row["login"] for row in evidence.services["ticketing"].tables["simulated_service"] if not row["active"]}
    for each in customers:
        found = [
            *_money(each, payments[each.id], invoices[each.id]),
            *_service(each, accounts[each.id], cuts[each.id], each.login in off, _fees(invoices[each.id])),
            *_once(each, {what: rows[each.id] for what, rows in made.items()}),
        ]
        yield from (f"{each.code} ({'VIP' if each.vip else 'home'}): {what}; it did {_script(each)}" for what in found)


MADE = {"promise": "promise", "notice": "suspension_notice", "suspend": "suspension"}


def _money(who: Customer, payments: Sequence[Row], invoices: Sequence[Row]) -> Iterator[str]:
    """Each payment once, as it was settled; the month's invoice once, paid when confirmed money covers it; a fee once per occasion."""
    settled = {**{act.name: "CONFIRMED" for act in who.accepted("confirm")}, **{act.name: "REJECTED" for act in who.accepted("reject")}}
    wanted = {f"{who.code}-{act.name}": (settled.get(act.name, "REPORTED"), who.amount(act)) for act in who.accepted("pay")}
    there = [(row["reference"], (row["state"], Decimal(row["amount"]))) for row in payments]
    if Counter(there) != Counter(wanted.items()):
        yield f"its payments are {there}, not {wanted}"
    months = [row for row in invoices if row["fee"] is None]
    if len(months) != 1:
        yield f"it has {len(months)} invoices of one month"
        return
    confirmed, is_paid = who.paid(confirmed=True), months[0]["state"] == "PAID"
    if (is_paid and confirmed < who.total) or (not is_paid and confirmed >= who.total + _fees(invoices) and who.settled()):
        yield f"its invoice is {months[0]['state']}, and {who.paid(confirmed=True)} of {who.total} are confirmed"


def _fees(invoices: Sequence[Row]) -> Decimal:
    """What the policy charged besides the month: where payments are rejected, others may have gone to it."""
    return sum((Decimal(row["total"]) for row in invoices if row["fee"] is not None), Decimal(0))


def _service(who: Customer, accounts: Sequence[Row], cuts: Sequence[Row], off: bool, fees: Decimal) -> Iterator[str]:
    """Who has paid is on. Who has not is cut: a home by the system, a VIP when its agent's order was taken."""
    if not accounts:
        yield "collections has never heard of it"
        return
    [account] = accounts
    owed = who.total + fees
    cut = any(row["state"] in CUT for row in cuts)
    if off != cut:
        yield f"the network has it {'off' if off else 'on'}, and its cut is {[row['state'] for row in cuts]}"
    if (account["status"] in ("suspended", "recovery")) != cut:
        yield f"its status is {account['status']}, and its cut is {[row['state'] for row in cuts]}"
    if who.paid() >= owed and cut:
        yield "it has paid and is cut"
    if who.paid(confirmed=True) >= owed and who.settled() and account["status"] != "active":
        yield f"all is confirmed, and its status is {account['status']}"
    if not who.vip and who.paid() < who.total and not cut:
        yield f"it owes {who.total - who.paid()} and is not cut: {account['status']}"


def _once(who: Customer, made: Rows) -> Iterator[str]:
    """As many of each as were accepted of people."""
    for what, rows in made.items():
        by_people = [row for row in rows if row.get("source", "PERSON") == "PERSON"]
        if len(by_people) != len(who.accepted(what)):
            yield f"{len(who.accepted(what))} times {what} was accepted, and there are {len(by_people)}"


def _script(who: Customer) -> str:
    return ", ".join(f"{act.day} {act.what} {act.name} {act.status}" for act in who.done)


def _by(column: str, rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row[column])].append(row)
    return found
