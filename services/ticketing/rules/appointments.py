"""When a step has to be done, and when and by whom where that is at the customer's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from shared.calendar import BusinessCalendar
from shared.errors import FieldError
from shared.operator.steps import Deadline


def deadline_at(deadline: Deadline, opened_at: datetime, calendar: BusinessCalendar, known: Mapping[str, Any]) -> datetime:
    """When a step that opens now has to be finished (UTC): counted from its opening, or from a day that is known of the ticket."""
    day = known.get(deadline.from_) if deadline.from_ else None
    if day is not None and deadline.business_days is not None:
        return calendar.end_of_day(calendar.nth_business_day(date.fromisoformat(day), deadline.business_days))
    if deadline.hours is not None:
        return opened_at + timedelta(hours=deadline.hours)
    if deadline.business_hours is not None:
        return calendar.add_business_hours(opened_at, deadline.business_hours)
    assert deadline.business_days is not None
    return calendar.add_business_days(opened_at, deadline.business_days)


@dataclass(frozen=True)
class Window:
    """A day with a window of hours, both of the operator's clock, and who goes."""

    day: date
    opens: time
    closes: time
    technician: str


@dataclass(frozen=True)
class Appointment(Window):
    """When a work order is done; who agreed it with the customer, and when (UTC)."""

    by: str
    at: datetime

    def kept(self) -> dict[str, str]:
        """The appointment in its JSON form."""
        return {
            "day": self.day.isoformat(),
            "opens": self.opens.isoformat(),
            "closes": self.closes.isoformat(),
            "technician": self.technician,
            "by": self.by,
            "at": self.at.isoformat(),
        }


def appointment_of(kept: Mapping[str, Any] | None) -> Appointment | None:
    """The appointment from its JSON form."""
    if kept is None:
        return None
    return Appointment(
        day=date.fromisoformat(kept["day"]),
        opens=time.fromisoformat(kept["opens"]),
        closes=time.fromisoformat(kept["closes"]),
        technician=kept["technician"],
        by=kept["by"],
        at=datetime.fromisoformat(kept["at"]),
    )


def mistakes_of(asked: Appointment, calendar: BusinessCalendar, now: datetime, rule: str | None) -> Iterator[FieldError]:
    """What is wrong with an appointment: it must lie ahead, on a business day, within the working hours."""
    if not calendar.is_business_day(asked.day):
        name = calendar.holiday(asked.day)
        yield FieldError(field="day", message=f"no se trabaja ese día{f': {name}' if name else ''}", rule=rule)
    elif calendar.at(asked.day, asked.closes) <= now:
        yield FieldError(field="day", message="esa cita ya pasó", rule=rule)
    if asked.closes <= asked.opens:
        yield FieldError(field="closes", message="debe ser después de `opens`", rule=rule)
    if asked.opens < calendar.opens or asked.closes > calendar.closes:
        hours = f"{calendar.opens:%H:%M} a {calendar.closes:%H:%M}"
        yield FieldError(field="opens", message=f"el horario de trabajo es de {hours}", rule=rule)


def order_number(ticket: int | None, place: int) -> str:
    """The number on a work order: the ticket's, and which of its pieces of work it is (`place` counts from 0): `OT-131-2`."""
    return f"OT-{ticket}-{place + 1}"
