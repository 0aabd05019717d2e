"""Billing's API in a process of its own, as `reconecta serve api billing` runs it, beside what it is measured against.

`python -m tests.bench.http_service DSN PUBLIC_KEY` prints two ports: the service with one ordinary route more, and a plain FastAPI app that
holds the same routes without any database, and one as it is written naively.
"""

import contextlib
import sys
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlmodel import col, select

from services.billing.api.customer_shapes import CustomerInput, CustomerShown
from services.billing.api.payments import PaymentInput, PaymentShown
from services.billing.app import SERVICE
from services.billing.models import Contract, Customer
from services.billing.models import Service as Sold
from services.local import root_app
from services.serving import listen, serving, stop_signals
from services.wiring import open_runtime
from shared.auth import Verifier
from shared.db import new_id, rows
from shared.idempotency import IdempotencyRow, fingerprint
from shared.log import configure
from shared.loop import run
from shared.outbox import OutboxRow, publish
from shared.settings import Settings
from shared.spelling import plain
from shared.trail import AuditRow
from shared.web import Actor, Documents, Input, Now, Session, command_router, permits, set_etag
from tests.bench.data import NOW, Measured
from tests.support.service import OPERATOR_FOLDER, operator

COUNT = "UPDATE thing SET version = version + 1, amount = amount + $2 WHERE id = $1 RETURNING version"
ENTER = "INSERT INTO note (thing_id, amount) VALUES ($1, $2) RETURNING id"
router = command_router(tags=["bench"])


class NoteInput(Input):
    """A body of the usual kind."""

    amount: int
    text: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class NoteShown(BaseModel):
    """An answer of the usual kind."""

    id: int
    thing_id: int
    amount: int
    text: str
    version: int


@router.put("/things/{thing_id}/notes", status_code=201)
@router.post("/things/{thing_id}/notes", status_code=201)
async def note(
    thing_id: int, body: NoteInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> NoteShown:
    """An ordinary command: a row is locked and counted, another written, an event told. By PUT it takes no key."""
    permits(actor, documents, "billing.payments")
    version = (await rows(session, COUNT, thing_id, body.amount))[0].version
    made = (await rows(session, ENTER, thing_id, body.amount))[0].id
    await publish(session, Measured(who=f"k{thing_id}", amount=body.amount), subject=f"thing/{thing_id}", version=version, now=now)
    set_etag(response, version)
    return NoteShown(id=made, thing_id=thing_id, version=version, amount=body.amount, text=body.text)


def plain_app(dsn: str, public_key: str) -> FastAPI:
    """What FastAPI costs by itself: the same bodies checked, answers of the same models, nothing done. And the naive way."""
    app = FastAPI()
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"), pool_size=5, max_overflow=5)
    verifier = Verifier([public_key])
    paid = PaymentShown.model_validate(PaymentShown.model_config["json_schema_extra"]["examples"][0])  # type: ignore[index]
    known = CustomerShown.model_validate(CustomerShown.model_config["json_schema_extra"]["examples"][0])  # type: ignore[index]

    @app.post("/things/{thing_id}/notes", status_code=201)
    async def note(thing_id: int, body: NoteInput, response: Response) -> NoteShown:
        response.headers["ETag"] = '"1"'
        return NoteShown(id=1, thing_id=thing_id, version=1, amount=body.amount, text=body.text)

    @app.post("/payments", status_code=201)
    async def payment(body: PaymentInput, response: Response) -> PaymentShown:
        response.headers["ETag"] = '"1"'
        return paid

    @app.post("/customers", status_code=201)
    async def customer(body: CustomerInput, response: Response) -> CustomerShown:
        response.headers["ETag"] = '"1"'
        return known

    async def session() -> AsyncSession:
        return AsyncSession(engine)

    @app.post("/naive/customers", status_code=201)
    async def naive(body: CustomerInput, request: Request, session: Annotated[AsyncSession, Depends(session)]) -> CustomerShown:
        actor = verifier._verified(request.headers["authorization"].partition(" ")[2])
        key = (actor.person, "POST /customers", request.headers["idempotency-key"])
        async with session, session.begin():
            if await session.get(IdempotencyRow, key) is not None:
                return known
            made = Customer(
                search_name=plain(body.name), policy="residencial", currency="USD", created_at=NOW, updated_at=NOW,
                contacts=[each.model_dump() for each in body.contacts], **body.model_dump(exclude={"contract", "services", "contacts"}),
            )  # fmt: skip
            session.add(made)
            await session.flush()
            contract = Contract(customer_id=made.id, **body.contract.model_dump())
            sold = [Sold(customer_id=made.id, plan_kind="business", currency="USD", **each.model_dump()) for each in body.services]
            session.add_all([contract, *sold])
            await session.flush()
            found = (await session.execute(select(Sold).where(col(Sold.customer_id) == made.id))).scalars().all()
            shown = CustomerShown.model_validate({
                **made.model_dump(), "contract": contract.model_dump(), "services": [each.model_dump() for each in found],
                "monthly_total": {"amount": sum(each.monthly_amount for each in found), "currency": "USD"},
            })  # fmt: skip
            text = shown.model_dump_json()
            session.add_all([
                OutboxRow(event_id=new_id(), type=Measured.TYPE, subject=f"customer/{made.id}", sequence=1, key=str(made.id),
                          occurred_at=NOW, data=text),
                IdempotencyRow(principal=key[0], route=key[1], key=key[2], fingerprint=fingerprint(await request.body()), status=201,
                               headers={"content-type": "application/json"}, body=text.encode(), created_at=NOW),
                AuditRow(at=NOW, recorded_at=NOW, person=actor.person, name=actor.name, desks=sorted(actor.desks), method="POST",
                         path="/customers", status=201, body=(await request.body()).decode()),
            ])  # fmt: skip
        return shown

    return app


async def main(dsn: str, public_key: str) -> None:
    """Serve until somebody says stop."""
    configure("WARNING")
    settings = Settings(service="billing", database_url=dsn, operator_folder=OPERATOR_FOLDER, token_public_keys=[public_key])
    async with contextlib.AsyncExitStack() as stack:
        sockets = [stack.enter_context(listen("127.0.0.1", 0)) for _ in range(2)]
        stop = await stack.enter_async_context(stop_signals())
        service = replace(SERVICE, routers=(*SERVICE.routers, router))
        runtime = await stack.enter_async_context(open_runtime(service, settings, operator()))
        await stack.enter_async_context(serving(root_app(operator(), {"billing": runtime}, None), sockets[0]))
        await stack.enter_async_context(serving(plain_app(dsn, public_key), sockets[1]))
        print(*(each.getsockname()[1] for each in sockets), flush=True)
        await stop.wait()


if __name__ == "__main__":
    run(main(*sys.argv[1:3]))
