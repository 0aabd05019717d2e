"""I1 and I4 across services: what each table shows of a customer, an invoice, a payment, a cut is what was told of it."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from tests.support.history.evidence import Evidence, Held, Row
from tests.support.history.mirrors import KEYS, MIRRORS, NULL, SET, TOLD_ALONE, Expected, Facts
from tests.support.history.verdict import Violation


def judge(evidence: Evidence) -> Iterator[Violation]:
    """Every mirror against what was told."""
    facts = Facts(evidence)
    for service, mirrors in MIRRORS.items():
        if service in evidence.services:
            held = evidence.services[service]
            aside = {(str(row["key"])) for row in (*held.tables["parked_event"], *held.tables["inbox_pending"])}
            for table, mirror in mirrors.items():
                yield from _compare(service, table, held, mirror(facts), aside)


def _compare(service: str, table: str, held: Held, expected: Mapping[str, Expected], aside: set[str]) -> Iterator[Violation]:
    names = KEYS.get((service, table), ("id",))
    rows: dict[str, Row] = {"/".join(str(row[name]) for name in names): row for row in held.tables[table]}
    for thing, wanted in expected.items():
        row = rows.get(thing)
        if wanted.get("of") in aside:  # its events still wait: I6 says so
            continue
        if row is None:
            yield Violation("I1", f"{service} does not know what it was told of", f"{table} {thing}", f"{service}.{table}")
            continue
        for column, value in wanted.items():
            if column != "of" and not _shows(row[column], value):
                what = f"{service} shows {column} = {row[column]}, and was told {value}"
                yield Violation("I1", what, f"{table} {thing}", f"{service}.{table}")
    for thing in rows.keys() - expected.keys() if (service, table) in TOLD_ALONE else ():
        yield Violation("I2", f"{service} knows something that nobody told", f"{table} {thing}", f"{service}.{table}")


def _shows(shown: Any, told: Any) -> bool:
    if told is SET or told is NULL:
        return (shown is not None) == (told is SET)
    if isinstance(told, Decimal):
        return Decimal(shown) == told
    return bool(shown == told)
