"""A policy with the operator's calendar: the instants at which something becomes due."""

import calendar as months
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from services.collections.rules.debts import bounced_at
from services.collections.rules.facts import Invoice
from shared.calendar import BusinessCalendar
from shared.operator import AllowedFrom, Operator, Policy, Reminder


@dataclass(frozen=True)
class Terms:
    """What a policy and the calendar say; instants are UTC. Hours of many accounts are the same, so each is computed once."""

    operator: Operator
    policy: Policy
    calendar: BusinessCalendar
    _known: dict[Any, datetime] = field(default_factory=dict, repr=False, compare=False)

    def cut_from(self, invoice: Invoice) -> datetime:
        """When a cut for this unpaid invoice is allowed at the earliest (VIP-12), never before its last day in time has ended.

        A debt that was past that already when it came to us, when it came back because its payment bounced, or when the policy's day was
        changed, waits as long as the policy says.
        """
        return self._not_at_once(invoice, self._day("cut", self.policy.suspension.allowed_from, invoice))

    def restrict_from(self, invoice: Invoice) -> datetime | None:
        """When this unpaid invoice has the account restricted, before it allows the cut; None where the policy does not restrict, or the
        invoice allows the cut by then. A late debt waits as it does for the cut."""
        restriction = self.policy.restriction
        if restriction is None:
            return None
        begins = self._not_at_once(invoice, self._day("restrict", restriction.allowed_from, invoice))
        return begins if begins < self.cut_from(invoice) else None

    def _not_at_once(self, invoice: Invoice, allowed: datetime) -> datetime:
        wait = self.policy.suspension.wait_for_late_debts
        if wait is None:
            return allowed
        came = max(bounced_at(invoice) or invoice.issued_at, invoice.cut_since or invoice.issued_at)
        return allowed if came < allowed else came + wait

    def _day(self, what: str, allowed: AllowedFrom, invoice: Invoice) -> datetime:
        """The day is one of the month in which the invoice is due: what is billed late in a month is due in the next one."""
        key = (what, invoice.due_date)
        if key not in self._known:
            if allowed.day_of_month is not None:
                day = day_of_period(invoice.due_date.isoformat(), allowed.day_of_month)
            else:
                day = invoice.due_date + timedelta(days=allowed.days_after_due or 0)
            instant = self.calendar.end_of_day(day) if allowed.at == "end_of_day" else self.calendar.at(day, allowed.at)
            self._known[key] = max(instant, invoice.due_ends_at)
        return self._known[key]

    def cut_hour(self, day: date) -> datetime:
        """When the cuts of a day begin."""
        at = self.policy.suspension.allowed_from.at
        return self.calendar.start_of_day(day) if at == "end_of_day" else self.calendar.at(day, at)

    def last_day_to_pay(self, invoice: Invoice) -> date:
        """The day whose end allows the cut; the day before where an hour of the next one does."""
        return self.calendar.today(self.cut_from(invoice) - timedelta(microseconds=1))

    def dispatch_from(self, invoice: Invoice) -> datetime:
        """When the month's invoice may go out at the earliest (VIP-5)."""
        key = ("dispatch", invoice.period)
        if key not in self._known:
            day = day_of_period(invoice.period, self.policy.invoice.send_from_day)
            self._known[key] = self.calendar.start_of_day(day)
        return max(self._known[key], invoice.issued_at)

    def remind_at(self, reminder: Reminder, invoice: Invoice) -> datetime:
        """When the policy reminds of this invoice."""
        key = ("remind", reminder.code, invoice.due_date)
        if key not in self._known:
            self._known[key] = self.calendar.at(invoice.due_date - timedelta(days=reminder.days_before_due), reminder.at)
        return self._known[key]

    def late_fee_from(self, invoice: Invoice) -> datetime:
        """When a late fee on this invoice is due if it is still unpaid; only where the policy charges one."""
        fee = self.policy.fees.late if self.policy.fees is not None else None
        assert fee is not None
        key = ("fee", invoice.due_date)
        if key not in self._known:
            at = self.calendar.at(invoice.due_date + timedelta(days=fee.days_after_due), fee.at)
            self._known[key] = max(at, invoice.due_ends_at)
        return self._known[key]

    def longest_promise(self, now: datetime) -> datetime:
        """How far a promise made now may reach: at most to this instant (VIP-3: until the month's last day has ended)."""
        longest = self.policy.promises.longest
        return self.end_of_month(now) if longest == "end_of_month" else now + longest

    def end_of_month(self, now: datetime) -> datetime:
        """When the operator's month of this instant has ended."""
        today = self.calendar.today(now)
        return self.calendar.end_of_day(today.replace(day=months.monthrange(today.year, today.month)[1]))


class Book:
    """The terms of all the operator's policies, made once for a piece of work."""

    def __init__(self, operator: Operator) -> None:
        self.operator, self.calendar = operator, BusinessCalendar(operator)
        self._terms: dict[str, Terms] = {}

    def terms(self, policy: str) -> Terms:
        """The terms of a policy; a code that is not known any more is ruled by the default one."""
        if policy not in self._terms:
            self._terms[policy] = Terms(self.operator, self.operator.policy(policy), self.calendar)
        return self._terms[policy]


def day_of_period(period: str, number: int) -> date:
    """Day `number` of a month written `2026-03` (what follows is not read), or its last day where the month is shorter."""
    year, month = int(period[:4]), int(period[5:7])
    return date(year, month, min(number, months.monthrange(year, month)[1]))
