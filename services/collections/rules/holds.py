"""Who is left out of reminders, notices and cuts, until when and who answers for it (COB-1)."""

from datetime import datetime
from uuid import UUID

from services.collections.rules import wording
from services.collections.rules.facts import Facts, Hold
from services.collections.rules.terms import Terms


def running_holds(facts: Facts, now: datetime) -> list[Hold]:
    """The holds that are under way, on the customer or on a service."""
    return [each for each in facts.holds if each.placed_at <= now < ended(each)]


def held(facts: Facts, now: datetime) -> Hold | None:
    """The hold that leaves the whole customer out: one on the customer, or of those that leave out every service the first to end. None
    else."""
    if not facts.holds:  # asked very often, and nearly always there is none
        return None
    running = running_holds(facts, now)
    whole = next((each for each in running if each.service_id is None), None)
    if whole is not None or not facts.services or not set(facts.services) <= {each.service_id for each in running}:
        return whole
    return min(running, key=ended)


def held_services(facts: Facts, now: datetime) -> list[UUID]:
    """The single services that are left out, in the order of their holds."""
    return list(dict.fromkeys(each.service_id for each in running_holds(facts, now) if each.service_id is not None))


def delivery_to_cut(facts: Facts, now: datetime) -> str:
    """How the services are delivered that a cut is for: those that are left out do not count (VIP-13, VIP-14)."""
    spared = set(held_services(facts, now))
    ways = {way for service, way in zip(facts.services, facts.deliveries, strict=True) if service not in spared}
    if not spared or not ways:
        return facts.delivery
    return "third_party" if "third_party" in ways else "own"


def expired(facts: Facts, now: datetime) -> list[Hold]:
    """The holds whose instant has come and of which that was not told yet."""
    return [each for each in facts.holds if each.ended_at is None and each.until <= now]


def ended(hold: Hold) -> datetime:
    """When the hold is over, as far as is known."""
    return hold.until if hold.ended_at is None else min(hold.until, hold.ended_at)


def told_hold(hold: Hold, terms: Terms) -> str:
    """A hold in a sentence."""
    what = "Uno de sus servicios está excluido" if hold.service_id is not None else "El cliente está excluido"
    since, last = wording.moment(terms.operator, hold.placed_at), wording.until(terms.operator, hold.until)
    owner = wording.who(terms.operator, hold.owner)
    return f"{what} de avisos y suspensiones desde el {since}; responde {owner}. Motivo: {hold.reason.rstrip('.')}. Termina {last}."
