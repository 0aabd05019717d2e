"""The sample book of the shipped operator: `python -m tests.support.sample_book` writes it again, the same every time.

Everybody in it is invented. It looks as a CRM exports it (title line, `;`, decimal commas, days first, stray blanks, quotes) and holds
every kind of customer that the rules tell apart, some rows that cannot be imported, and a bank's file in which most pay and some do not.
"""

import csv
import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from tests.support.sample_names import AGENT_NAMES, AGENTS, CITIES, COLUMNS, FIRST, LAST, NODES, PLANS, SHOP_NAMES, SHOPS, VIPS

BOOKS = Path("deploy/operators/vip_isp/books")
HEADER = COLUMNS.split(";")
TITLE = "Listado de clientes activos - exportado el 28/02/2026 18:04"
CENT = Decimal("0.01")
TAX = Decimal("0.15")


@dataclass
class Customer:
    """A row of the book, and what March will cost. `pays` is when and how much of it the bank sees (day, amount)."""

    cells: dict[str, str]
    march: Decimal = Decimal(0)
    owed: Decimal = Decimal(0)
    pays: list[tuple[date, Decimal]] = field(default_factory=list)


def spanish_amount(text: str | Decimal) -> str:
    """`1234.50` as the CRM writes it: `1.234,50`."""
    return f"{Decimal(text):,.2f}".translate(str.maketrans(",.", ".,"))


def with_tax(base: Decimal) -> Decimal:
    """A month's total of one service."""
    return base + (base * TAX).quantize(CENT, ROUND_HALF_UP)


class Book:
    """Makes the customers one after the other from one seed."""

    def __init__(self, seed: int = 20260301) -> None:
        self.dice = random.Random(seed)
        self.number = 10_000
        self.invoice = 40_211
        self.homes = 0

    def customers(self) -> list[Customer]:
        """Every good row, in the order of their codes."""
        vips = [self._vip(line) for line in VIPS.splitlines()]
        people = [self._home() for _ in range(196)] + [self._shop() for _ in range(55)]
        for number, customer in enumerate(people):
            self._pays_like_people(number, customer)
        for number, customer in enumerate(vips):
            customer.cells["Gestor de cobros"] = AGENT_NAMES[AGENTS[number % 3]]
        self._special_cases(vips, people)
        everybody = [*vips, *people]
        self.dice.shuffle(everybody)
        for each in everybody:
            self.number += self.dice.choice((1, 1, 1, 2, 5))
            each.cells["Código"] = f"C-{self.number}"
            each.cells["Contrato"] = f"CT-{self.number}"
        return everybody

    def _row(self, name: str, person: str, domain: str, plans: Sequence[tuple[str, str]]) -> Customer:
        dice = self.dice
        city = dice.randrange(len(CITIES))
        start = date(2019, 1, 1) + timedelta(days=dice.randrange(2_500))
        cells = dict.fromkeys(HEADER, "")
        mail = self.mail(person)
        cells |= {
            "Nombre o razón social": name,
            "RTN": f"0501{start.year}{dice.randrange(10**6):06d}",
            "Dirección": f"{dice.choice(('Barrio', 'Colonia', 'Residencial'))} {self._one(LAST)}, {dice.randrange(2, 30)} calle",
            "Ciudad": CITIES[city],
            "Contacto administrativo": person,
            "Correo administrativo": f"{mail}@{domain}",
            "Teléfono administrativo": f"+504 9{dice.randrange(10**3):03d}-{dice.randrange(10**4):04d}",
            "Inicio de contrato": f"{start:%d/%m/%Y}",
            "Entrega": "Directo",
            "Nodo": NODES[city],
            "Plan": plans[0][0],
            "Precio": plans[0][1] or spanish_amount(PLANS[plans[0][0]]),
            "Usuario": f"{mail}{dice.randrange(100)}@redsula",
            "Estado": "ACTIVO",
            "Último mes facturado": "02/2026",
        }
        if len(plans) > 1:
            cells |= {"Plan 2": plans[1][0], "Precio 2": spanish_amount(PLANS[plans[1][0]]), "Usuario 2": f"tel{dice.randrange(10**6):06d}"}
        prices = [cells["Precio"], cells["Precio 2"]]
        march = sum((with_tax(Decimal(each.replace(".", "").replace(",", "."))) for each in prices if each), Decimal(0))
        return Customer(cells, march)

    @staticmethod
    def mail(person: str) -> str:
        """`María Núñez` as it stands before the @."""
        return person.lower().translate(str.maketrans("áéíóúñü ", "aeiounu."))

    def _one(self, words: str) -> str:
        return self.dice.choice(words.split(","))

    def _person(self) -> str:
        return f"{self._one(FIRST)} {self._one(LAST)}"

    def _vip(self, line: str) -> Customer:
        name, plan, price, delivery, reason, pays = line.split("|")
        domain = self.mail(name).replace(".", "") + ".example"
        customer = self._row(name, self._person(), domain, [(plan, price)])
        technician = self._person()
        years = self.dice.choice((1, 2, 3))
        start = date(2026 - years, self.dice.randrange(3, 12), 1)
        customer.cells |= {
            "Contacto técnico": technician,
            "Correo técnico": f"{self.mail(technician)}@{domain}",
            "Correo de facturación": f"facturas@{domain}",
            "Inicio de contrato": f"{start:%d/%m/%Y}",
            "Fin de contrato": f"{date(start.year + years + 1, start.month, 1) - timedelta(days=1):%d/%m/%Y}",
            "Entrega": "Terceros" if delivery == "T" else "Directo",
            "Nodo": "" if delivery == "T" else customer.cells["Nodo"],
            "Es ISP": "Sí" if reason == "isp" else "No",
            "Negociación especial": "" if reason == "isp" else reason,
            "Estado": "CLIENTE VIP",
        }
        if pays:
            day = self.dice.randrange(2, 6) if pays == "ok" else self.dice.randrange(12, 24)
            customer.pays.append((date(2026, 3, day), customer.march))
        return customer

    def _home(self) -> Customer:
        self.homes += 1
        person = self._person()
        plans = [(self.dice.choice(("Internet Hogar 10 Megas", "Internet Hogar 50 Megas", "Internet Hogar 200 Megas")), "")]
        if self.homes % 4 == 0:
            plans.append(("Línea fija", ""))
        return self._row(f"{person} {self._one(LAST)}", person, "correo.example", plans)

    def _shop(self) -> Customer:
        kind, name = self._one(SHOPS), self._one(SHOP_NAMES)
        plan = self.dice.choice(("Internet Negocio 100", "Internet Negocio 100", "Internet Negocio 300"))
        return self._row(f"{kind} {name}", self._person(), f"{self.mail(kind + name).replace('.', '')}.example", [(plan, "")])

    def _pays_like_people(self, number: int, customer: Customer) -> None:
        """Of twenty, sixteen pay in time, two before the cut, one after it, one never."""
        place = number % 20
        if place == 19:
            return
        first, last = {16: (11, 18), 17: (11, 18), 18: (22, 29)}.get(place, (2, 10))
        customer.pays.append((date(2026, 3, self.dice.randrange(first, last)), customer.march))

    def _special_cases(self, vips: list[Customer], people: list[Customer]) -> None:
        """The opening states that a live operator has."""
        silent = [each for each in vips if not each.pays]
        self._owes_february(silent[0], due_day=5, paid=Decimal(0))
        silent[1].cells["Estado"] = "SUSPENDIDO CLIENTE VIP"
        self._owes_february(silent[1], due_day=5, paid=Decimal(0))
        for each in [silent[2], *[one for one in vips if one.pays][:2]]:
            each.cells["Estado"] = "ACTIVO"  # they qualify, and Sales' list of the month's close has yet to say so
        quiet = [each for each in people if not each.pays]
        self._owes_february(quiet[0], due_day=10, paid=Decimal("10.00"))
        quiet[1].cells["Estado"] = "SUSPENDIDO POR MORA"
        self._owes_february(quiet[1], due_day=10, paid=Decimal(0))
        self._owes_february(quiet[2], due_day=10, paid=Decimal(0), january=True)
        quiet[2].cells["Estado"] = "PLAN DE PAGO COBROS"
        quiet[3].cells["Estado"] = "INVESTIGAR"
        self._owes_february(quiet[3], due_day=10, paid=Decimal(0))
        self._billed_already(people[0])
        for each in people[1:3]:
            each.cells["Inicio de contrato"], each.cells["Último mes facturado"], each.pays = "16/03/2026", "", []
        people[3].cells["Correo administrativo"] = "no tiene"
        people[4].cells["Gestor de cobros"] = "Pedro Fuera"
        people[5].cells["Estado"] = "CORTESIA"

    def _owes(self, customer: Customer, slot: str, month: int, due_day: int, paid: Decimal) -> None:
        self.invoice += 1
        suffix = f" {slot}" if slot else ""
        customer.cells |= {
            f"Factura pendiente{suffix}": f"000-001-01-{self.invoice:08d}",
            f"Fecha factura{suffix}": f"01/{month:02d}/2026",
            f"Vence{suffix}": f"{due_day:02d}/{month:02d}/2026",
            f"Total factura{suffix}": spanish_amount(customer.march),
            f"Saldo{suffix}": spanish_amount(customer.march - paid),
        }
        customer.owed += customer.march - paid

    def _owes_february(self, customer: Customer, *, due_day: int, paid: Decimal, january: bool = False) -> None:
        self._owes(customer, "", 2, due_day, paid)
        if january:
            self._owes(customer, "2", 1, due_day, Decimal(0))

    def _billed_already(self, customer: Customer) -> None:
        """Its March went out early, dated ahead: it must not be billed twice."""
        customer.cells["Último mes facturado"] = "03/2026"
        self._owes(customer, "", 3, 10, Decimal(0))


def broken_rows(like: Customer) -> Iterator[list[str]]:
    """Rows that cannot be imported, each for another reason."""
    changes = (
        {"Nombre o razón social": "  "},
        {"Plan": "Internet Satelital 5"},
        {"Inicio de contrato": "31/02/2025"},
        {"Precio": "cuarenta"},
        {"Precio": "-24,90"},
        {"Inicio de contrato": "01/01/2020", "Fin de contrato": "01/01/2018"},
    )
    for number, change in enumerate(changes, start=90_001):
        yield list((like.cells | {"Código": f"C-{number}"} | change).values())
    whole = list((like.cells | {"Código": "C-90007"}).values())
    yield [*whole[:-3], "fila cortada"]


def book_csv(customers: Sequence[Customer]) -> str:
    """The CRM's export: some cells quoted, some with stray blanks, the broken rows in its middle."""
    out = io.StringIO()
    out.write(f"\ufeff{TITLE}\r\n")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([f" {name}" if number % 7 == 3 else name for number, name in enumerate(HEADER)])
    middle = len(customers) // 2
    for number, customer in enumerate(customers):
        cells = dict(customer.cells)
        if number % 11 == 5:
            cells["Nombre o razón social"] += "  "
        if number % 29 == 7:
            cells["Observaciones"] = 'Pide que le llamen; "solo por la tarde"'
        writer.writerow(cells.values())
        if number == middle:
            writer.writerows(broken_rows(next(each for each in customers if each.cells["Plan 2"])))
    return out.getvalue()


def bank_csv(customers: Sequence[Customer]) -> str:
    """The bank's file of March, by day; its last rows cannot be applied."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(("Fecha", "Referencia", "Cliente", "Monto", "Moneda", "Agencia", "Concepto"))
    paid = sorted((day, each.cells["Código"], amount, each) for each in customers for day, amount in each.pays)
    for number, (day, code, amount, customer) in enumerate(paid, start=1):
        concept = f"PAGO INTERNET {customer.cells['Nombre o razón social'].strip().upper()[:24]}"
        row = f"{day:%d/%m/%Y}", f"BR{number:07d}", code, spanish_amount(amount), "USD", CITIES[number % len(CITIES)], concept
        writer.writerow(row)
    writer.writerow(("28/03/2026", "BR9000001", "C-99999", "50,00", "USD", "La Ceiba", "CLIENTE QUE NO EXISTE"))
    writer.writerow(("28/03/2026", "BR9000002", paid[0][1], "-12,00", "USD", "La Ceiba", "REVERSION"))
    return out.getvalue()


def files() -> dict[str, str]:
    """The generated files by name."""
    customers = Book().customers()
    return {"clientes.csv": book_csv(customers), "pagos_banco.csv": bank_csv(customers)}


def write() -> None:
    """Write the files into the operator's folder."""
    for name, text in files().items():
        (BOOKS / name).write_bytes(text.encode())


if __name__ == "__main__":
    write()
