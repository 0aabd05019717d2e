"""Holds: a customer, or one of its services, is left out of reminders, notices and cuts for a while (COB-1)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Account, Hold
from services.collections.operations.changes import Changes, lock_account
from services.collections.operations.looking import look_soon
from services.collections.rules.facts import Facts
from services.collections.rules.facts import Hold as Fact
from services.collections.rules.states import SYSTEM
from services.collections.rules.terms import Book
from services.collections.rules.wording import moment
from shared.auth import Principal
from shared.db import execute, new_id, rows
from shared.errors import Conflict, FieldError, Invalid, NotFound
from shared.events.collections import HoldEnded, HoldPlaced
from shared.operator import Operator

EXPIRED = "Llegó a su fecha de fin."
END = "UPDATE hold SET ended_at = $2, ended_by = $3, end_reason = $4, known_at = $5 WHERE id = $1 AND ended_at IS NULL"
RUNNING = """
SELECT until FROM hold WHERE account_id = $1 AND service_id IS NOT DISTINCT FROM $2 AND ended_at IS NULL AND until > $3
"""


async def place(
    session: AsyncSession,
    *,
    customer_id: UUID,
    service_id: UUID | None,
    reason: str,
    owner: str,
    until: datetime,
    actor: Principal,
    operator: Operator,
    now: datetime,
) -> Hold:
    """Leave the customer, or one of its services, out until an instant; an order to cut that is out is taken back by the review.

    Raises NotFound, Invalid for an owner or a service that does not exist or an instant that is over, Conflict while there is one already.
    """
    changes = await lock_account(session, customer_id, book=Book(operator), now=now)
    account = await session.get_one(Account, customer_id, populate_existing=True)
    _check(account, service_id, owner, until, operator, now)
    await _check_free(session, customer_id, service_id, operator, now)
    event = HoldPlaced(
        hold_id=new_id(),
        customer_id=customer_id,
        service_id=service_id,
        reason=reason,
        owner=owner,
        until=until,
        placed_by=actor.person,
        placed_at=now,
    )
    made = Hold(id=event.hold_id, account_id=customer_id, **event.model_dump(exclude={"hold_id", "customer_id"}))
    session.add(made)
    changes.tell(customer_id, event)
    await look_soon(session, [customer_id], now=now)
    await changes.write(session)
    return made


def _check(account: Account, service_id: UUID | None, owner: str, until: datetime, operator: Operator, now: datetime) -> None:
    """Raise Invalid with everything that is wrong with a hold."""
    errors = []
    if until <= now:
        errors.append(FieldError(field="until", message="la exclusión tiene que terminar después de ahora"))
    if operator.person(owner) is None:
        errors.append(FieldError(field="owner", message=f"nadie se llama «{owner}» en operator.yaml"))
    if service_id is not None and str(service_id) not in {each["service_id"] for each in account.services}:
        errors.append(FieldError(field="service_id", message=f"{account.name} no tiene el servicio {service_id}"))
    if errors:
        raise Invalid("La exclusión no se puede hacer así.", errors=errors, remedy="Corrija los campos y envíela de nuevo.")


async def _check_free(session: AsyncSession, customer_id: UUID, service_id: UUID | None, operator: Operator, now: datetime) -> None:
    found = await rows(session, RUNNING, customer_id, service_id, now)
    if found:
        raise Conflict(
            f"Ya hay una exclusión que termina el {moment(operator, found[0].until)}.", remedy="Termínela primero, o espere a que termine."
        )


async def end(session: AsyncSession, *, hold_id: UUID, reason: str, actor: Principal, operator: Operator, now: datetime) -> Hold:
    """End a hold before its instant. Raises NotFound, and Conflict when it is over already."""
    hold = await session.get(Hold, hold_id)
    if hold is None:
        raise NotFound(f"No existe la exclusión {hold_id}.", remedy="Vea las que hay en GET /holds.")
    changes = await lock_account(session, hold.account_id, book=Book(operator), now=now)
    await session.refresh(hold)
    if hold.ended_at is not None or hold.until <= now:
        raise Conflict(f"La exclusión ya terminó el {moment(operator, hold.ended_at or hold.until)}.", remedy="No hay nada que terminar.")
    hold.ended_at, hold.ended_by, hold.end_reason, hold.known_at = now, actor.person, reason, now
    changes.tell(hold.account_id, _ended(hold.account_id, hold, "ended", reason, actor.person, now))
    await look_soon(session, [hold.account_id], now=now)
    await changes.write(session)
    return hold


async def end_expired(session: AsyncSession, changes: Changes, facts: Facts, hold: Fact) -> None:
    """The hold's instant has come: tell it. It ended then, however late that is told."""
    await execute(session, END, hold.id, hold.until, SYSTEM, EXPIRED, changes.now)
    changes.tell(facts.account_id, _ended(facts.account_id, hold, "expired", EXPIRED, SYSTEM, hold.until))


def _ended(customer_id: UUID, hold: Hold | Fact, cause: Literal["expired", "ended"], reason: str, by: str, at: datetime) -> HoldEnded:
    return HoldEnded(
        hold_id=hold.id, customer_id=customer_id, service_id=hold.service_id, cause=cause, reason=reason, ended_by=by, ended_at=at
    )
