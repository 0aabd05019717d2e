"""The simulation can say no: each of these defects shows within a few small worlds, which sound code comes through unharmed."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared import idempotency, trail
from shared.db import rows
from shared.envelopes import COLUMNS, to_envelope
from shared.events import Envelope
from shared.idempotency import Answer, Command
from shared.inbox import Inbox
from shared.loop import run
from shared.outbox import Relay
from tests.simulation.empty import empty
from tests.simulation.run import simulate

SIZE, WORLDS = 40, 10  # a defect shows when somebody is struck at its place: in a few worlds, not in each
Patch = pytest.MonkeyPatch


def an_inbox_that_forgets_what_it_had(patch: Patch) -> None:
    """A copy is handled like the first."""
    claim = Inbox._claim

    async def claims_all(self: Inbox, session: AsyncSession, envelopes: Sequence[Envelope]) -> tuple[list[Envelope], bool]:
        _, parked = await claim(self, session, envelopes)
        return list(envelopes), parked

    patch.setattr(Inbox, "_claim", claims_all)


def a_relay_that_deletes_before_it_sends(patch: Patch) -> None:
    """Whoever dies in between has lost what it had in hand."""

    async def step(self: Relay) -> bool:
        if not await self.lease.kept():
            return False
        async with self._database.transaction() as session:
            found = await rows(session, f"SELECT id, {COLUMNS} FROM outbox ORDER BY id LIMIT {self._batch}")
        await self._settle([row.id for row in found], frozenset())
        if found:
            await self._sink.send([to_envelope(row, self._source) for row in found], frozenset(), sys.maxsize)
        return bool(found)

    patch.setattr(Relay, "step", step)


def a_command_that_nobody_remembers(patch: Patch) -> None:
    """Committed, not answered, sent again: done again."""

    async def recall(session: AsyncSession, command: Command) -> Answer | None:
        return None

    async def free(session: AsyncSession, commands: Sequence[Command], *, lock_wait: str) -> list[Command]:
        return list({(each.principal, each.key): each for each in commands}.values())

    patch.setattr(idempotency, "recall", recall)
    patch.setattr(idempotency, "free", free)
    patch.setattr(trail, "FINISH", trail.FINISH.replace("clock_timestamp())) ", "clock_timestamp()) ON CONFLICT DO NOTHING) "))
    assert "ON CONFLICT" in trail.FINISH


DEFECTS: tuple[Callable[[Patch], Any], ...] = (
    an_inbox_that_forgets_what_it_had,
    a_relay_that_deletes_before_it_sends,
    a_command_that_nobody_remembers,
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*non-checked-in connection")
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda each: each.__name__)
def test_a_planted_defect_is_found(databases: dict[str, str], tmp_path: Path, monkeypatch: Patch, defect: Callable[[Patch], None]) -> None:
    with monkeypatch.context() as patch:
        defect(patch)
        for seed in range(1, WORLDS + 1):
            try:
                found = (run(simulate(databases, tmp_path / str(seed), seed, SIZE))).found
            except (AssertionError, RuntimeError) as error:  # a world that cannot go on
                found = [f"{type(error).__name__}: {error}"]
            if found:
                print(f"seed {seed}: {len(found)} violations, first {found[0][:200]}")  # noqa: T201
                return
            run(empty(databases))
    pytest.fail(f"{WORLDS} worlds of {SIZE} did not notice")
