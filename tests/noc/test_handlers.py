"""The NOC knows from billing's customers which nodes there are and who is behind them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime

import pytest

from services.noc.app import SERVICE
from shared.db import Database, new_id
from tests.noc.factories import customer, sold
from tests.support.service import Served, serve

START = datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.fixture
async def noc(database: Callable[[str], Awaitable[Database]]) -> AsyncIterator[Served]:
    async with serve(SERVICE, await database("noc"), START) as served:
        yield served


async def nodes(noc: Served) -> dict[str, int]:
    found = (await noc.as_("noc.turno").get("/access-nodes")).json()["items"]
    return {each["access_node"]: each["customers"] for each in found}


async def test_nodes_are_those_that_customers_hang_on(noc: Served) -> None:
    await noc.deliver(customer(sold("SPS-1"), sold("SPS-1")), customer(sold("SPS-1"), sold("SPS-2")), customer(sold(None)))
    assert await nodes(noc) == {"SPS-1": 2, "SPS-2": 1}


async def test_a_customer_that_moves_to_another_node_is_counted_there_alone(noc: Served) -> None:
    one, service = new_id(), new_id()
    await noc.deliver(customer(sold("SPS-1", service_id=service), customer_id=one))
    await noc.deliver(customer(sold("SPS-2", service_id=service), customer_id=one, changed=True))
    assert await nodes(noc) == {"SPS-1": 0, "SPS-2": 1}


async def test_a_customer_whose_service_another_took_the_place_of_is_no_longer_behind_its_node(noc: Served) -> None:
    one = new_id()
    await noc.deliver(customer(sold("SPS-1"), customer_id=one))
    await noc.deliver(customer(sold("SPS-2"), customer_id=one, changed=True))
    assert await nodes(noc) == {"SPS-1": 0, "SPS-2": 1}


async def test_of_two_changes_in_one_batch_the_later_one_counts(noc: Served) -> None:
    one, service = new_id(), new_id()
    await noc.deliver(
        *(customer(sold(node, service_id=service), customer_id=one, changed=True) for node in ("SPS-1", "SPS-2", "SPS-3")),
    )
    assert await nodes(noc) == {"SPS-3": 1}


async def test_a_service_that_has_ended_is_not_behind_a_node(noc: Served) -> None:
    await noc.deliver(customer(sold("SPS-1", active_to=date(2026, 2, 28))), customer(sold("SPS-1", active_to=date(2026, 3, 1))))
    assert await nodes(noc) == {"SPS-1": 1}
    await noc.at(datetime(2026, 3, 2, 6, tzinfo=UTC))  # midnight of the operator's 2nd of March
    assert await nodes(noc) == {"SPS-1": 0}
