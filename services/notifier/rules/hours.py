"""When a message may reach a customer: inside the hours of its policy, and no more on one day than that allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.operator.notices import MessageLimits

FULL = "Ya tiene los mensajes de ese día (a lo sumo {}): espera al siguiente."
JOINED = "Ya tiene los mensajes de ese día (a lo sumo {}): va en el mismo correo que otro que espera."
OUTSIDE = "Está fuera del horario de mensajes ({:%H:%M} a {:%H:%M}): espera a que empiece."


@dataclass(frozen=True)
class Booked:
    """A mail that counts for a receiver's day. `open`: it has not begun to go out, so that another message can join it."""

    delivery_id: UUID
    header_id: str
    open: bool


@dataclass(frozen=True)
class Place:
    """Where a message goes: at an instant (UTC) that counts for `day`, or in a mail that waits already. `held`: why not now."""

    at: datetime
    day: date | None
    held: str = ""
    joins: Booked | None = None


def place(limits: MessageLimits, zone: ZoneInfo, now: datetime, booked: Mapping[date, Sequence[Booked]], *, may_join: bool = True) -> Place:
    """The first place for a message at or after `now`. `booked` are the receiver's mails by day (the operator's)."""
    day, held = now.astimezone(zone).date(), ""
    while True:
        at = _opening(limits, zone, day, now)
        if at is not None and at > now:
            held = held or _outside(limits)
        taken = booked.get(day, ())
        if at is not None and (limits.per_day is None or len(taken) < limits.per_day):
            return Place(at, day, held)
        if at is not None and limits.beyond == "merge" and may_join and (waiting := [each for each in taken if each.open]):
            return Place(at, None, JOINED.format(limits.per_day), waiting[-1])
        held = FULL.format(limits.per_day) if at is not None else _outside(limits)
        day += timedelta(days=1)


def _opening(limits: MessageLimits, zone: ZoneInfo, day: date, now: datetime) -> datetime | None:
    """The first instant (UTC) of a day's hours that is not past; None when they are over."""
    start = datetime.combine(day, limits.hours.opens if limits.hours else datetime.min.time(), tzinfo=zone).astimezone(UTC)
    if limits.hours is None:
        return max(start, now)
    end = datetime.combine(day, limits.hours.closes, tzinfo=zone).astimezone(UTC)
    return max(start, now) if now < end else None


def _outside(limits: MessageLimits) -> str:
    return OUTSIDE.format(limits.hours.opens, limits.hours.closes) if limits.hours else ""
