"""How every command of an agent begins: the account under lock, its facts as they are now, and the verdict that allows or refuses it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.operations.changes import Changes, lock_account
from services.collections.queries.facts import load_facts
from services.collections.rules.facts import Facts
from services.collections.rules.terms import Book, Terms
from services.collections.rules.verdicts import ActionCode, verdict
from shared.auth import Principal
from shared.operator import Operator


@dataclass(frozen=True)
class Opened:
    """An account under lock, its facts, the terms that rule it, and what is going to be changed."""

    changes: Changes
    facts: Facts
    terms: Terms


async def open_account(session: AsyncSession, customer_id: UUID, *, operator: Operator, now: datetime) -> Opened:
    """Lock an account and read its facts. Raises NotFound."""
    changes = await lock_account(session, customer_id, book=Book(operator), now=now)
    facts = (await load_facts(session, [customer_id], now=now))[customer_id]
    return Opened(changes, facts, changes.terms(facts.policy))


async def permitted(
    session: AsyncSession, customer_id: UUID, action: ActionCode, *, actor: Principal, operator: Operator, now: datetime
) -> Opened:
    """Open an account for an action that must be allowed. Raises NotFound, and Refused with the rule that forbids it."""
    opened = await open_account(session, customer_id, operator=operator, now=now)
    verdict(action, opened.facts, opened.terms, now, person=actor.person).require()
    return opened
