"""The operator as the services see it: the company and all its documents together."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision
from pydantic import ConfigDict

from shared.operator.company import Company, Desk, Fee, FiscalSeries, Person, Plan, Rule, Tax
from shared.operator.notices import Notice
from shared.operator.policies import Policy, Qualification
from shared.operator.procedures import Procedure
from shared.spelling import plain


class Operator(Company):
    """Everything one operator decides. Look-ups by code raise KeyError: the loader has checked every reference already."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    folder: Path
    fingerprint: str
    plans: list[Plan]
    fees: list[Fee]
    taxes: list[Tax]
    fiscal_series: list[FiscalSeries]
    rules: dict[str, Rule]
    qualification: Qualification
    policies: dict[str, Policy]
    procedures: dict[str, Procedure]
    notices: dict[str, Notice]

    @cached_property
    def zone(self) -> ZoneInfo:
        """The operator's time zone: "day 27" is a day there."""
        return ZoneInfo(self.time_zone)

    @property
    def money_digits(self) -> int:
        """Decimal places of the currency; amounts are rounded to them."""
        return get_currency_precision(self.currency)

    def policy(self, code: str) -> Policy:
        """A policy; a code that is not known any more is ruled by the default policy."""
        return self.policies.get(code) or self.policies[self.default_policy]

    def statuses_named(self, label: str | None) -> dict[str, str]:
        """Policy → status code, for every policy that has a status of this name, whatever its accents, case and blanks."""
        wanted = plain(label or "")
        return {policy.code: code for policy in self.policies.values() for code, name in policy.statuses.items() if plain(name) == wanted}

    def policy_with(self, label: str | None) -> str | None:
        """The policy that a status's name tells by itself: of several that have it the default one first; None where none has it."""
        found = self.statuses_named(label)
        return self.default_policy if self.default_policy in found else min(found, default=None)

    def policy_named(self, label: str | None) -> str:
        """As `policy_with`, and the default policy where none has a status of this name."""
        return self.policy_with(label) or self.default_policy

    def procedure(self, code: str) -> Procedure:
        return self.procedures[code]

    def desk(self, code: str) -> Desk:
        return next(each for each in self.desks if each.code == code)

    def person(self, code: str) -> Person | None:
        """Somebody of the operator's people; None for a stranger."""
        return next((each for each in self.people if each.person == code), None)

    def plan(self, code: str) -> Plan:
        return next(each for each in self.plans if each.code == code)

    def fee(self, kind: str) -> Fee | None:
        """How a kind of fee is charged; None where the catalogue does not say."""
        return next((each for each in self.fees if each.kind == kind), None)

    def tax(self, code: str) -> Tax:
        return next(each for each in self.taxes if each.code == code)

    def rule(self, rule_id: str) -> Rule:
        return self.rules[rule_id]

    def notices_for(self, event_type: str) -> list[Notice]:
        """The notices that may follow from an event of this type, by code."""
        return [self.notices[code] for code in sorted(self.notices) if self.notices[code].on == event_type]

    def may(self, desks: Iterable[str], permission: str) -> bool:
        """Has one of these desks the permission? An unknown permission belongs to nobody."""
        return not set(desks).isdisjoint(self.permissions.get(permission, []))

    def desks_with(self, permission: str) -> str:
        """The desks that have it, by the names that people know: `Cobros y Créditos, Ventas o Sistemas`; `nadie` when there is none."""
        return alternatives(self.desk_names(self.permissions.get(permission, []))) or "nadie"

    def desk_names(self, codes: Iterable[str]) -> list[str]:
        """The desks' names in the order of operator.yaml; a code that it does not have stays as it is."""
        wanted = set(codes)
        known = {each.code: each.name for each in self.desks if each.code in wanted}
        return [*known.values(), *sorted(wanted - set(known))]


def alternatives(names: Sequence[str]) -> str:
    """`Ventas, Cobros o Sistemas`."""
    return " o ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
