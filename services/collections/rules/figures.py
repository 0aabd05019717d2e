"""What each of the manager's figures means, and when they are counted."""

from datetime import datetime, timedelta

from shared.calendar import BusinessCalendar

MONTHS = 13  # this month, and the twelve before
HOUR = timedelta(hours=5)  # of the night, local time: nobody waits for the database then
DEFINITIONS = {
    "collected": (
        "Facturado: lo que se debía de las facturas del mes al emitirlas, sin las anuladas y menos sus notas de crédito. "
        "Cobrado: lo que trajeron a esas facturas, hasta el instante de los datos, pagos confirmados que el banco no devolvió. "
        "Por el gestor y la política que el cliente tiene en ese instante."
    ),
    "ageing": (
        "Lo abierto de cada factura (sin anuladas; menos pagos confirmados y notas de crédito), por los días desde que venció "
        "hasta el día de los datos: «current» no ha vencido; luego de 1 a 30, de 31 a 60, de 61 a 90 y más de 90 días."
    ),
    "promises": (
        "Compromisos de pago por el mes en que se hicieron y el gestor que los anotó: cumplidos, incumplidos, en curso y sin "
        "efecto. El porcentaje es de cumplidos entre los que ya se decidieron (cumplidos e incumplidos)."
    ),
    "cuts": (
        "Suspensiones hechas, por el mes en que se ejecutaron: días de la suspensión al primer pago reportado después (promedio"
        " de las que lo tienen), días de ese pago a la reconexión (promedio de las reconectadas), y cuántas se revirtieron "
        "dentro de una hora."
    ),
}


def first_month(calendar: BusinessCalendar, now: datetime) -> str:
    """The first month that is counted: `2025-03` in March 2026."""
    today = calendar.today(now)
    months = today.year * 12 + today.month - MONTHS
    return f"{months // 12:04}-{months % 12 + 1:02}"


def counted_next(calendar: BusinessCalendar, counted: datetime) -> datetime:
    """The next night's instant after they were counted."""
    tonight = calendar.start_of_day(calendar.today(counted)) + HOUR
    return tonight if tonight > counted else calendar.start_of_day(calendar.today(counted) + timedelta(days=1)) + HOUR


def percent(part: int, whole: int) -> str | None:
    """Of a hundred, with one decimal; None of nothing."""
    return f"{100 * part / whole:.1f}" if whole else None
