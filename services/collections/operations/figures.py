"""The manager's figures: asked for by a person or by the night, counted by a job."""

import json
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import FigureReport
from services.collections.queries import figures
from services.collections.rules.figures import first_month
from shared.auth import Principal
from shared.calendar import BusinessCalendar
from shared.db import execute, ring
from shared.operator import Operator

KEPT = 31  # reports; older ones are forgotten
FILL = "UPDATE figure_report SET counted_at = $1, data = $2::jsonb WHERE counted_at IS NULL"
ADD = "INSERT INTO figure_report (id, asked_by, asked_at, counted_at, data) VALUES (gen_random_uuid(), 'sistema', $1, $1, $2::jsonb)"
FORGET = f"DELETE FROM figure_report WHERE id IN (SELECT id FROM figure_report ORDER BY counted_at DESC NULLS FIRST OFFSET {KEPT})"


async def ask(session: AsyncSession, *, actor: Principal, now: datetime) -> FigureReport:
    """Have the figures counted now, and every night from then on."""
    report = FigureReport(asked_by=actor.person, asked_at=now)
    session.add(report)
    ring(session, "figures")
    return report


async def refresh(session: AsyncSession, *, operator: Operator, now: datetime) -> None:
    """Count all figures for whoever asked, or for the night."""
    calendar = BusinessCalendar(operator)
    counted = await figures.count(session, zone=operator.time_zone, today=calendar.today(now), first=first_month(calendar, now))
    data = json.dumps(counted)
    if not await execute(session, FILL, now, data):
        await execute(session, ADD, now, data)
    await execute(session, FORGET)
