"""Fiscal numbers: granted ranges kept in step with the operator's file, and blocks taken from them without a gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.billing.models import FiscalSeries
from shared.errors import Refused
from shared.operator import Operator

RULE = "FISCAL-1"
WHAT = {"invoice": "factura", "credit_note": "nota de crédito"}


@dataclass(frozen=True)
class NumberBlock:
    """Numbers that belong to one document or one run: `first` … `first + count - 1` of the series."""

    series: FiscalSeries
    first: int


async def sync_series(session: AsyncSession, operator: Operator) -> list[FiscalSeries]:
    """Bring the operator's series into the database and lock them, in the file's order.

    A longer range or another expiry of an authorisation is taken over; numbers already used stay used. A new authorisation is a new series.
    """
    kept = (await session.execute(select(FiscalSeries).order_by(col(FiscalSeries.id)).with_for_update())).scalars().all()
    known = {(each.code, each.authorization_code): each for each in kept}
    found = []
    for wanted in operator.fiscal_series:
        series = known.get((wanted.code, wanted.authorization_code))
        if series is None:
            series = FiscalSeries(
                code=wanted.code,
                document=wanted.document,
                authorization_code=wanted.authorization_code,
                prefix=wanted.prefix,
                digits=wanted.digits,
                from_number=wanted.from_number,
                to_number=wanted.to_number,
                next_number=wanted.from_number,
                expires=wanted.expires,
            )
            session.add(series)
        series.to_number, series.expires = max(wanted.to_number, series.next_number - 1), wanted.expires
        found.append(series)
    await session.flush()
    return found


def take_block(series: Sequence[FiscalSeries], *, count: int, issue_date: date, document: str = "invoice") -> NumberBlock:
    """Take `count` numbers in one piece from the first series of this kind of document whose range and expiry suffice. Raises Refused."""
    granted = [each for each in series if each.document == document]
    for each in granted:
        if each.expires >= issue_date and each.to_number - each.next_number + 1 >= count:
            first = each.next_number
            each.next_number += count
            return NumberBlock(each, first)
    state = "; ".join(
        f"serie {each.code}: quedan {each.to_number - each.next_number + 1} números, vence el {each.expires}" for each in granted
    )  # fmt: skip
    raise Refused(
        RULE,
        f"Hacen falta {count} números fiscales de {WHAT[document]} para el {issue_date} y ninguna serie alcanza "
        f"({state or 'no hay series'}).",
        remedy="Pida un nuevo rango y agréguelo en catalog/fiscal_series.yaml; después repita.",
    )
