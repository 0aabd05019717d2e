"""Reviews: something of the customer's billing is looked into, status INVESTIGAR (VIP-21, VIP-23)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Review
from services.collections.operations.assessing import settle
from services.collections.operations.commands import open_account, permitted
from shared.auth import Principal
from shared.db import new_id
from shared.errors import Refused
from shared.events.collections import ReviewClosed, ReviewOpened
from shared.operator import Operator


async def open_review(
    session: AsyncSession, *, customer_id: UUID, reason: str, actor: Principal, operator: Operator, now: datetime
) -> Review:
    """Begin to look into the customer's billing; nobody is cut meanwhile. Raises NotFound, and Refused while another review is open."""
    opened = await permitted(session, customer_id, "review", actor=actor, operator=operator, now=now)
    made = Review(id=new_id(), account_id=customer_id, reason=reason, opened_at=now, opened_by=actor.person)
    session.add(made)
    event = ReviewOpened(review_id=made.id, customer_id=customer_id, reason=reason, opened_by=actor.person, opened_at=now)
    opened.changes.tell(customer_id, event)
    await settle(session, opened.changes)
    return made


async def close_review(
    session: AsyncSession, *, customer_id: UUID, conclusion: str, actor: Principal, operator: Operator, now: datetime
) -> Review:
    """Conclude the open review. Raises NotFound, and Refused when there is none."""
    opened = await open_account(session, customer_id, operator=operator, now=now)
    query = select(Review).where(Review.account_id == customer_id, col(Review.closed_at).is_(None))
    found = (await session.execute(query)).scalars().first()
    if found is None:
        raise Refused(opened.terms.policy.rules["negotiated"], "No hay ninguna revisión abierta.", remedy="No hay nada que concluir.")
    found.closed_at, found.closed_by, found.conclusion, found.known_at = now, actor.person, conclusion, now
    event = ReviewClosed(review_id=found.id, customer_id=customer_id, conclusion=conclusion, closed_by=actor.person, closed_at=now)
    opened.changes.tell(customer_id, event)
    await settle(session, opened.changes)
    return found
