"""What must hold of the whole house: each service's own sentences (shared/invariants.py), and that copies agree with their sources, which
only a process can look at that has all five databases.

# Note [Looked at again]
Events are under way while we look. A copy that differs from its source is looked at again a moment later, and only what differs then,
too, is told.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from services import wiring
from shared.auditing import PATIENCE
from shared.db import Database, rows
from shared.invariants import AGAIN_SECONDS, SHOWN, Finding, ask_again, snapshot_of
from shared.operator import Operator

CHUNK = 10_000
FIRST = UUID(int=0)


@dataclass(frozen=True)
class Copy:
    """What one service keeps of another's: both queries answer (id, value as text), and are equal."""

    sentence: str
    source: str
    original: str
    keeper: str
    kept: str


INVOICE_IN_COLLECTIONS = """
SELECT i.id, trim_scale(CASE WHEN i.paid_at IS NOT NULL OR i.voided_at IS NOT NULL THEN 0 ELSE greatest(0, i.balance
    - coalesce((SELECT sum(t.amount) FROM payment_part t JOIN payment p ON p.id = t.payment_id
        WHERE t.invoice_id = i.id AND p.confirmed_at IS NOT NULL AND p.reversed_at IS NULL), 0)
    - coalesce((SELECT sum(d.amount) FROM deduction d
        WHERE d.account_id = i.account_id AND d.invoice_id = i.id AND d.kind = 'CREDIT'), 0)) END)::text AS value FROM invoice i"""
OWED = "SELECT id, trim_scale(CASE state WHEN 'VOIDED' THEN 0 ELSE balance END)::text AS value FROM invoice"
BELIEVED = "SELECT id, trim_scale(CASE state WHEN 'VOIDED' THEN 0 ELSE balance - reported END)::text AS value FROM invoice"
CREDITED = "SELECT id, trim_scale(credited)::text AS value FROM invoice"
CUSTOMER = "SELECT id, external_id || ' ' || name AS value FROM"
PAYMENT_IN_COLLECTIONS = """
SELECT id, CASE WHEN reversed_at IS NOT NULL THEN 'REVERSED' WHEN rejected_at IS NOT NULL THEN 'REJECTED'
    WHEN confirmed_at IS NOT NULL THEN 'CONFIRMED' ELSE 'REPORTED' END AS value FROM payment"""
CUT_IN_COLLECTIONS = """
SELECT id, CASE WHEN reconnected_at IS NOT NULL THEN 'reconectado' WHEN suspended_at IS NOT NULL THEN 'suspendido'
    WHEN ended_at IS NOT NULL THEN 'no ocurrió' ELSE 'pedido' END AS value FROM suspension WHERE source <> 'IMPORT'"""
CUT_IN_TICKETING = """
SELECT id, CASE state WHEN 'RECONNECTED' THEN 'reconectado' WHEN 'SUSPENDED' THEN 'suspendido'
    WHEN 'REQUESTED' THEN 'pedido' ELSE 'no ocurrió' END AS value FROM suspension"""
RESTRICTION_IN_COLLECTIONS = """
SELECT id, CASE WHEN outcome IN ('released', 'suspended') THEN 'quitada' WHEN ended_at IS NOT NULL THEN 'no ocurrió'
    WHEN restricted_at IS NOT NULL THEN 'restringido' ELSE 'pedida' END AS value FROM restriction WHERE source <> 'IMPORT'"""
RESTRICTION_IN_TICKETING = """
SELECT id, CASE WHEN state IN ('RELEASED', 'SUSPENDED') THEN 'quitada' WHEN state IN ('CANCELLED', 'REFUSED') THEN 'no ocurrió'
    WHEN state = 'REQUESTED' THEN 'pedida' ELSE 'restringido' END AS value FROM restriction WHERE ticket_id IS NOT NULL"""
COPIES = (
    Copy("los clientes de Cobros son los de Facturación", "billing", f"{CUSTOMER} customer", "collections", f"{CUSTOMER} account"),
    Copy("los clientes de Tickets son los de Facturación", "billing", f"{CUSTOMER} customer", "ticketing", f"{CUSTOMER} customer"),
    Copy("los clientes de Avisos son los de Facturación", "billing", f"{CUSTOMER} customer", "notifier", f"{CUSTOMER} customer"),
    Copy("lo abierto de cada factura es igual en Facturación y en Cobros", "billing", OWED, "collections", INVOICE_IN_COLLECTIONS),
    Copy(
        "lo que se espera de cada factura es igual en Facturación y en Avisos",
        "billing",
        BELIEVED,
        "notifier",
        "SELECT id, trim_scale(open_amount)::text AS value FROM invoice",
    ),
    Copy("lo acreditado de cada factura es igual en Facturación y en Tickets", "billing", CREDITED, "ticketing", CREDITED),
    Copy(
        "cada pago está igual en Facturación y en Cobros",
        "billing",
        "SELECT id, state AS value FROM payment",
        "collections",
        PAYMENT_IN_COLLECTIONS,
    ),
    Copy("cada suspensión está igual en Cobros y en Tickets", "collections", CUT_IN_COLLECTIONS, "ticketing", CUT_IN_TICKETING),
    Copy(
        "cada restricción está igual en Cobros y en Tickets",
        "collections",
        RESTRICTION_IN_COLLECTIONS,
        "ticketing",
        RESTRICTION_IN_TICKETING,
    ),
)


@dataclass(frozen=True)
class Wrong:
    """A sentence that does not hold, of which services."""

    where: str
    broken: Finding


async def audit(addresses: Mapping[str, str], operator: Operator, *, again: float = AGAIN_SECONDS) -> list[Wrong]:
    """Everything that is wrong in the five databases; nothing is changed. Each service is looked at at its own business time; what differs
    is looked at once more `again` seconds later (machine time)."""
    async with AsyncExitStack() as stack:
        databases = {}
        for name, address in addresses.items():
            databases[name] = Database(address, service=name, pool_size=2, patience=PATIENCE)
            stack.push_async_callback(databases[name].close)
        found = []
        for service in wiring.SERVICES:
            looking = partial(snapshot_of, databases[service.name])
            said = await ask_again(service.sentences, looking, operator, again=again)
            found += [Wrong(service.name, each) for each in said if each.count]
        for copy in COPIES:
            compared = await compare(databases, copy, again=again)
            found += [Wrong(f"{copy.source} → {copy.keeper}", compared)] if compared.count else []
        return found


async def kept_by(keeper: str, databases: Mapping[str, Database]) -> list[Finding]:
    """What one service keeps of the others, compared; nothing is changed."""
    return [await compare(databases, each, again=AGAIN_SECONDS) for each in COPIES if each.keeper == keeper]


async def compare(databases: Mapping[str, Database], copy: Copy, *, again: float) -> Finding:
    """Does the copy agree with its source?"""
    differing = await differences(databases, copy, again=again)
    return Finding(copy.sentence, len(differing), tuple(f"{key}: {values}" for key, values in list(differing.items())[:SHOWN]))


async def differences(databases: Mapping[str, Database], copy: Copy, *, again: float) -> dict[UUID, str]:
    """What the copy keeps otherwise than the source says, by id (Note [Looked at again])."""
    found = await _differing(databases, copy, None)
    if found:
        await asyncio.sleep(again)
        found = await _differing(databases, copy, list(found))
    return found


async def _differing(databases: Mapping[str, Database], copy: Copy, only: Sequence[UUID] | None) -> dict[UUID, str]:
    """Walk through both in the order of their ids, a chunk at a time."""
    left, right = _walk(databases[copy.source], copy.original, only), _walk(databases[copy.keeper], copy.kept, only)
    one, other = await anext(left, None), await anext(right, None)
    found: dict[UUID, str] = {}
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            found[one[0]] = f"{copy.source} dice {one[1]}, {copy.keeper} no lo conoce"
            one = await anext(left, None)
        elif one is None or other[0] < one[0]:
            found[other[0]] = f"{copy.keeper} dice {other[1]}, {copy.source} no lo conoce"
            other = await anext(right, None)
        else:
            if one[1] != other[1]:
                found[one[0]] = f"{copy.source} dice {one[1]}, {copy.keeper} dice {other[1]}"
            one, other = await anext(left, None), await anext(right, None)
    return found


async def _walk(database: Database, sql: str, only: Sequence[UUID] | None) -> AsyncIterator[tuple[UUID, str]]:
    last = FIRST
    while True:
        async with database.look() as session:
            chosen = "$2::uuid[] IS NULL OR id = ANY($2::uuid[])"
            found = await rows(
                session, f"SELECT id, value FROM ({sql}) AS t WHERE id > $1 AND ({chosen}) ORDER BY id LIMIT {CHUNK}", last, only
            )
        for row in found:
            yield row.id, row.value
        if len(found) < CHUNK:
            return
        last = found[-1].id
