"""The manager's figures (VIP-31): each with its definition and the instant of its data, as lists that can be exported."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.api.access import PORTFOLIOS
from services.collections.api.views import MoneyView, money_view
from services.collections.operations.figures import ask
from services.collections.queries.figures import SORTINGS, latest
from services.collections.rules.figures import DEFINITIONS, percent
from services.collections.rules.wording import who
from shared.errors import NotFound
from shared.operator import Operator
from shared.web import Actor, Arrangement, Documents, Now, Page, Session, arranged_by, command_router, page, permits
from shared.web.shapes import Month, example

router = command_router(tags=["cifras de gerencia"])
Period = Annotated[Month | None, Query(description="solo este mes: 2026-03")]
Agent = Annotated[str | None, Query(max_length=60, description="solo este gestor")]


class FiguresAsked(BaseModel):
    """Figures that are being counted."""

    model_config = example(id="01920000-0000-7000-8000-0000000000f1", asked_at="2026-03-28T15:00:00Z")
    id: UUID
    asked_at: AwareDatetime


class Portfolio(BaseModel):
    """Whose customers, under which policy; `agent` null: of nobody."""

    agent: str | None
    agent_name: str
    policy: str
    policy_name: str


class CollectedRow(Portfolio):
    """What was billed for a month and what of it is there."""

    period: str
    invoices: int
    billed: MoneyView
    collected: MoneyView
    collected_percent: str | None


class AgeingRow(Portfolio):
    """What is open, by how long it has been due: current, 1-30, 31-60, 61-90, 90+ days."""

    bucket: str
    invoices: int
    amount: MoneyView


class PromisesRow(Portfolio):
    """What became of the promises of a month."""

    period: str
    made: int
    kept: int
    broken: int
    running: int
    lapsed: int
    kept_percent: str | None


class CutsRow(Portfolio):
    """How the cuts of a month went on, in days."""

    period: str
    cuts: int
    paid: int
    reconnected: int
    days_to_payment: Decimal | None
    days_to_reconnection: Decimal | None
    within_an_hour: int


class Defined(BaseModel):
    """What the figure means, and when it was counted."""

    definition: str
    as_of: AwareDatetime


class CollectedPage(Page[CollectedRow], Defined):
    """Collected against billed."""


class AgeingPage(Page[AgeingRow], Defined):
    """Ageing."""


class PromisesPage(Page[PromisesRow], Defined):
    """Promises kept."""


class CutsPage(Page[CutsRow], Defined):
    """From the cut to the payment to the reconnection."""


@router.post("/figures", status_code=202)
async def ask_figures(session: Session, now: Now, actor: Actor, documents: Documents) -> FiguresAsked:
    """Count the figures now, in the background; from then on they are counted every night, too."""
    permits(actor, documents, PORTFOLIOS)
    made = await ask(session, actor=actor, now=now)
    return FiguresAsked(id=made.id, asked_at=made.asked_at)


@router.get("/figures/collected")
async def list_collected(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Arrangement, arranged_by(SORTINGS["collected"])],
    period: Period = None,
    agent: Agent = None,
) -> CollectedPage:
    """Collected against billed, by month, agent and policy."""
    found = await _counted(session, actor, documents, "collected", order, period=period, agent=agent)
    return CollectedPage(**found.page(lambda row: CollectedRow(
        **found.whose(row), period=row["period"], invoices=row["invoices"], billed=found.money(row, "billed"),
        collected=found.money(row, "collected"), collected_percent=_share(row["collected"], row["billed"]),
    )))  # fmt: skip


@router.get("/figures/ageing")
async def list_ageing(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Arrangement, arranged_by(SORTINGS["ageing"])],
    agent: Agent = None,
) -> AgeingPage:
    """What is open, by agent, policy and days since it was due."""
    found = await _counted(session, actor, documents, "ageing", order, agent=agent)
    return AgeingPage(**found.page(lambda row: AgeingRow(
        **found.whose(row), bucket=row["bucket"], invoices=row["invoices"], amount=found.money(row, "amount"),
    )))  # fmt: skip


@router.get("/figures/promises")
async def list_promises_kept(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Arrangement, arranged_by(SORTINGS["promises"])],
    period: Period = None,
    agent: Agent = None,
) -> PromisesPage:
    """Promises and what became of them, by month, agent and policy."""
    found = await _counted(session, actor, documents, "promises", order, period=period, agent=agent)
    return PromisesPage(**found.page(lambda row: PromisesRow(
        **found.whose(row), kept_percent=percent(row["kept"], row["kept"] + row["broken"]),
        **{name: row[name] for name in ("period", "made", "kept", "broken", "running", "lapsed")},
    )))  # fmt: skip


@router.get("/figures/cuts")
async def list_cuts(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Arrangement, arranged_by(SORTINGS["cuts"])],
    period: Period = None,
    agent: Agent = None,
) -> CutsPage:
    """Days from the cut to the payment to the reconnection, and cuts reversed within an hour, by month, agent and policy."""
    found = await _counted(session, actor, documents, "cuts", order, period=period, agent=agent)
    names = ("period", "cuts", "paid", "reconnected", "days_to_payment", "days_to_reconnection", "within_an_hour")
    return CutsPage(**found.page(lambda row: CutsRow(**found.whose(row), **{name: row[name] for name in names})))


class _Counted:
    """A figure's rows that were asked for, and how they are shown."""

    def __init__(self, name: str, as_of: datetime, rows: Sequence[dict[str, Any]], order: Arrangement, documents: Operator) -> None:
        self._name, self._as_of, self._rows, self._order, self._documents = name, as_of, rows, order, documents

    def page(self, show: Any) -> dict[str, Any]:
        """The page's fields; the cursor is the row's number."""
        made = page(self._order.page(self._rows), self._order, show=show)
        return {"items": made.items, "next": made.next, "definition": DEFINITIONS[self._name], "as_of": self._as_of}

    def whose(self, row: dict[str, Any]) -> dict[str, Any]:
        agent, policy = row["agent"], self._documents.policy(row["policy"])
        name = who(self._documents, agent) if agent else "Sin gestor"
        return {"agent": agent, "agent_name": name, "policy": row["policy"], "policy_name": policy.name}

    def money(self, row: dict[str, Any], name: str) -> MoneyView:
        return money_view(self._documents, Decimal(row[name]), row["currency"])


async def _counted(session: Session, actor: Actor, documents: Operator, name: str, order: Arrangement, **only: str | None) -> _Counted:
    """The rows of a figure whose fields are as asked. Raises NotFound before figures were ever counted."""
    permits(actor, documents, PORTFOLIOS)
    as_of, rows = await counted_rows(session, name)
    chosen = [row for row in rows if all(value is None or row[key] == value for key, value in only.items())]
    return _Counted(name, as_of, chosen, order, documents)


async def counted_rows(session: AsyncSession, name: str) -> tuple[datetime, Sequence[dict[str, Any]]]:
    """A figure's rows as they were counted last. Raises NotFound before figures were ever counted."""
    found = await latest(session, name)
    if found is None:
        raise NotFound("Todavía no se han contado las cifras.", remedy="Pídalas con POST /collections/figures.")
    return found


def _share(part: str, whole: str) -> str | None:
    return percent(int(Decimal(part) * 10_000), int(Decimal(whole) * 10_000))
