"""Kafka answers with errors, moves its leaders and coordinators, hangs up, is slow: everything told is heard once and in order.

Real relay, producer, consumer and inbox, on librdkafka's mock cluster: no real broker gives these answers on demand.
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.db import Database
from shared.kafka import topic_of
from tests.support.mock_kafka import (
    COORDINATOR,
    DISCONNECT,
    FETCH,
    HEARTBEAT,
    JOIN,
    METADATA,
    OFFSET_COMMIT,
    PRODUCE,
    SYNC,
    MockKafka,
    mock_kafka,
)
from tests.support.service import operator
from tests.support.transport import HEARERS, TELLERS, Line, Told, clean, prepare

Open = Callable[[str], Awaitable[Database]]
ROUNDS, KEYS = 60, 5
# Which errors a broker may answer to which request: Kafka's own codes, and a connection that ends.
ANSWERS = {
    PRODUCE: (6, 7, 14, 16, 22, 25, 27, 45, 47, DISCONNECT),
    FETCH: (6, 7, DISCONNECT),
    METADATA: (DISCONNECT,),
    OFFSET_COMMIT: (14, 16, 22, 25, 27, DISCONNECT),
    COORDINATOR: (14, 15, DISCONNECT),
    JOIN: (14, 16, 25, DISCONNECT),
    SYNC: (14, 16, 22, 25, 27, DISCONNECT),
    HEARTBEAT: (16, 22, 25, 27, DISCONNECT),
}
BROKERS = 3


@pytest.fixture
async def line(database: Open) -> AsyncIterator[tuple[Line, MockKafka]]:
    opened = {name: await database(name) for name in (*TELLERS, *HEARERS)}
    await prepare(opened["ticketing"])
    operator()
    with mock_kafka(BROKERS) as cluster:
        made = Line("kafka", opened, cluster.bootstrap)
        for sender in opened:
            cluster.topic(topic_of(made.settings(sender), sender), 4)
        yield made, cluster
        await made.stop()
    await clean(opened["ticketing"])


async def disturb(cluster: MockKafka, line: Line, chance: random.Random) -> str:
    """One thing that goes wrong in a cluster; what it was."""
    topic, broker = topic_of(line.settings("billing"), "billing"), chance.randint(1, BROKERS)
    kind = chance.choice(["answer", "answer", "answer", "lead", "coordinate", "away", "slow"])
    if kind == "answer":
        request = chance.choice(sorted(ANSWERS))
        codes = [chance.choice(ANSWERS[request]) for _ in range(chance.randint(1, 3))]
        cluster.answer(request, *codes)
        return f"request {request}: {codes}"
    if kind == "lead":
        cluster.lead(topic, chance.randrange(4), broker)
    elif kind == "coordinate":
        cluster.coordinate(f"{line.prefix}ticketing", broker)
    elif kind == "away":
        cluster.away(broker)
        await asyncio.sleep(chance.uniform(0.2, 1))
        cluster.back(broker)
    else:
        cluster.slow(broker, 500)
        await asyncio.sleep(chance.uniform(0.2, 1))
        cluster.slow(broker, 0)
    return f"{kind} {broker}"


@pytest.mark.slow
async def test_whatever_a_cluster_answers_everything_is_heard_once_and_in_order(line: tuple[Line, MockKafka]) -> None:
    told, cluster = line
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(10**6))
    chance, done = random.Random(seed), []
    told.start("billing", "ticketing")
    for number in range(ROUNDS):
        await told.tell(*(Told(who=f"p{who}", number=number) for who in range(KEYS)))
        if number % 3 == 0:
            done.append(await disturb(cluster, told, chance))
        await asyncio.sleep(0.05)
    print(f"FAULT_SEED={seed}: {done}", file=sys.stderr)  # noqa: T201
    await told.quiet("ticketing", seconds=180)
    for who in range(KEYS):
        assert await told.numbers("ticketing", "billing", f"p{who}") == list(range(ROUNDS))
