"""How far a service has consumed: kept beside the effects, so that it rules over Kafka's own offset."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.db import MessagingTable, execute, rows
from shared.lease import Fenced

Partition = tuple[str, int]


class ConsumedOffset(MessagingTable, table=True):
    """How far this service has consumed a partition, written in the transaction of the batch; it rules over Kafka's own offset."""

    __tablename__ = "consumed_offset"
    topic: str = Field(primary_key=True)
    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    next_offset: int = Field(sa_column=Column(BigInteger, nullable=False))


@dataclass(frozen=True)
class Mark:
    """Where a record was: `before` is the offset that had to be stored when its turn came, `after` the one to store behind it."""

    partition: Partition
    before: int
    after: int


async def begin(session: AsyncSession, earliest: Mapping[Partition, int]) -> dict[Partition, int]:
    """The stored offsets of these partitions; one that was never consumed begins at its earliest record."""
    names, numbers = [topic for topic, _ in earliest], [number for _, number in earliest]
    await execute(
        session,
        "INSERT INTO consumed_offset (topic, partition, next_offset) SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) "
        "ON CONFLICT DO NOTHING",
        names,
        numbers,
        list(earliest.values()),
    )
    found = await stored(session, names)
    return {partition: found[partition] for partition in earliest}


async def stored(session: AsyncSession, topics: Iterable[str]) -> dict[Partition, int]:
    """The stored offsets of these topics' partitions."""
    found = await rows(
        session, "SELECT topic, partition, next_offset FROM consumed_offset WHERE topic = ANY($1::text[])", sorted(set(topics))
    )
    return {(row.topic, row.partition): row.next_offset for row in found}


async def reset(session: AsyncSession, offsets: Mapping[Partition, int]) -> None:
    """Begin anew where the topic has lost what we stored (it was deleted, or its retention was too short)."""
    for (topic, number), offset in offsets.items():
        await execute(session, "UPDATE consumed_offset SET next_offset = $3 WHERE topic = $1 AND partition = $2", topic, number, offset)


async def advance(session: AsyncSession, marks: Sequence[Mark]) -> None:
    """Move on from the first mark of each partition to its last. Raises Fenced when another consumer has moved on already: of two
    that believe to own a partition, only the one that continues where the last commit ended may commit."""
    first: dict[Partition, int] = {}
    last: dict[Partition, int] = {}
    for mark in marks:
        first.setdefault(mark.partition, mark.before)
        last[mark.partition] = mark.after
    order = sorted(first)
    moved = await execute(
        session,
        "UPDATE consumed_offset AS o SET next_offset = n.after FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) "
        "AS n(topic, partition, before, after) WHERE o.topic = n.topic AND o.partition = n.partition AND o.next_offset = n.before",
        [topic for topic, _ in order],
        [number for _, number in order],
        [first[each] for each in order],
        [last[each] for each in order],
    )
    if moved != len(order):
        raise Fenced(f"partitions {order}")
