"""A book of customers of any size, in the shape of the shipped CRM export: its 300 rows over and over, each with codes of its own."""

import csv
from itertools import cycle, islice
from pathlib import Path

from tests.support.service import OPERATOR_FOLDER

SAMPLE = OPERATOR_FOLDER / "books" / "clientes.csv"
MAPPING = OPERATOR_FOLDER / "books" / "clientes.mapping.yaml"
OWN = ("Código", "Contrato", "Factura pendiente", "Factura pendiente 2", "Usuario", "Usuario 2")  # what no two customers share


def write_book(path: Path, customers: int) -> None:
    """Write so many customers."""
    with SAMPLE.open(encoding="utf-8-sig", newline="") as text:
        title, *rows = csv.reader(text, delimiter=";")
    header, rows = rows[0], [each for each in rows[1:] if len(each) == len(rows[0])]
    own = [header.index(name) for name in OWN]
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
        writer.writerows([title, header])
        for number, row in enumerate(islice(cycle(rows), customers)):
            made = list(row)
            for place in own:
                made[place] = row[place] and f"{number}-{row[place]}"
            writer.writerow(made)
