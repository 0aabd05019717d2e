"""Lists that Sales sends at the month's close, and who qualifies (VIP-1, VIP-2)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, Field

from services.collections.api.access import LISTS, READ
from services.collections.models import SegmentList, SegmentListRow
from services.collections.operations import segments
from services.collections.queries import segments as queries
from services.collections.rules.listing import RowOutcome, Wanted
from shared.calendar import BusinessCalendar
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.shapes import Month

router = command_router(tags=["segmentos"])
MAX_ROWS = 5000
MismatchOrder = Annotated[Order, sorted_by(queries.MISMATCHES)]


class ListRowInput(Input):
    """A customer who must be in the segment, by the id of its source, and why. A row without them is reported, the others are applied."""

    external_id: str = Field("", max_length=200)
    note: str = Field("", max_length=2000)
    external_source: str | None = Field(None, max_length=100)


class ListInput(Input):
    """The list of a month."""

    period: Month
    rows: list[ListRowInput] = Field(min_length=1, max_length=MAX_ROWS)

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "period": "2026-03",
                    "rows": [
                        {"external_id": "C-0102", "note": "Plan Dedicado 20 Mbps desde marzo."},
                        {"external_source": "crm", "external_id": "C-0177", "note": "Negociación especial con la gerencia de Ventas."},
                    ],
                }
            ]
        }
    }


class ListRowView(BaseModel):
    """What became of a row: applied, unchanged or faulty, and why."""

    line: int
    external_source: str | None
    external_id: str
    note: str
    customer_id: UUID | None
    outcome: RowOutcome
    reason: str


class ListView(BaseModel):
    """A list that was received."""

    id: UUID
    policy: str
    policy_name: str
    period: str
    sent_by: str
    sent_at: AwareDatetime
    rows: int
    applied: int
    unchanged: int
    faulty: int


class ListReport(ListView):
    """A list with what became of each of its rows."""

    results: list[ListRowView]


class Mismatch(BaseModel):
    """A customer whose policy and qualification do not agree."""

    customer_id: UUID
    external_source: str
    external_id: str
    name: str
    policy: str
    reasons: list[str]


@router.post("/vip-lists", status_code=201)
async def receive_list(body: ListInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents) -> ListReport:
    """Receive the list of Sales: good rows are applied, the others are reported with their reason (VIP-2)."""
    permits(actor, documents, LISTS)
    wanted = [Wanted(each.external_id, each.note, each.external_source) for each in body.rows]
    made = await segments.apply_list(session, period=body.period, wanted=wanted, actor=actor, operator=documents, now=now)
    response.headers["Location"] = f"/collections/vip-lists/{made.id}"
    return await _report(session, made, documents)


@router.get("/vip-lists")
async def get_lists(
    session: Session, order: Annotated[Order, sorted_by(queries.LISTS)], actor: Actor, documents: Documents
) -> Page[ListView]:
    """The lists received, the latest first."""
    permits(actor, documents, READ)
    return page(await queries.find_lists(session, order), order, show=lambda each: _view(each, documents))


@router.get("/vip-lists/{list_id}")
async def get_list(list_id: UUID, session: Session, actor: Actor, documents: Documents) -> ListReport:
    """A list with what became of each row."""
    permits(actor, documents, READ)
    return await _report(session, await queries.get_list(session, list_id), documents)


@router.get("/qualification/missing")
async def get_missing(session: Session, order: MismatchOrder, now: Now, actor: Actor, documents: Documents) -> Page[Mismatch]:
    """Customers who qualify and are not in the segment yet: what Sales looks through before it sends its list (VIP-1)."""
    permits(actor, documents, READ)
    return await _mismatches(session, order, documents, now, inside=False)


@router.get("/qualification/unexplained")
async def get_unexplained(session: Session, order: MismatchOrder, now: Now, actor: Actor, documents: Documents) -> Page[Mismatch]:
    """Customers in the segment who meet no criterion. Nobody leaves it by being listed here."""
    permits(actor, documents, READ)
    return await _mismatches(session, order, documents, now, inside=True)


async def _mismatches(session: Session, order: Order, documents: Documents, now: datetime, *, inside: bool) -> Page[Mismatch]:
    found = await queries.mismatches(session, order, documents, inside=inside, today=BusinessCalendar(documents).today(now))
    return page(found, order, show=lambda each: Mismatch(**vars(each)))


def _view(made: SegmentList, documents: Documents) -> ListView:
    return ListView(policy_name=documents.policy(made.policy).name, **made.model_dump())


def _row(row: SegmentListRow) -> ListRowView:
    return ListRowView(**row.model_dump(exclude={"list_id"}))


async def _report(session: Session, made: SegmentList, documents: Documents) -> ListReport:
    results = await queries.rows_of(session, made.id)
    return ListReport(**_view(made, documents).model_dump(), results=[_row(each) for each in results])
