"""Ten processes and a conductor, as containers would run them, without containers: the same story, to the same end."""

from pathlib import Path

import pytest

from tests.flows.test_vip_entrega_propia import own_delivery
from tests.support.processes import open_processes


@pytest.mark.kafka
@pytest.mark.slow
async def test_the_month_on_ten_processes_and_a_real_kafka(databases: dict[str, str], tmp_path: Path, kafka_bootstrap: str) -> None:
    async with open_processes(databases, tmp_path, kafka_bootstrap=kafka_bootstrap) as house:
        await own_delivery(house)


@pytest.mark.slow
async def test_the_month_on_ten_processes_that_the_courier_joins(databases: dict[str, str], tmp_path: Path) -> None:
    async with open_processes(databases, tmp_path, kafka_bootstrap=None) as house:
        await own_delivery(house)
