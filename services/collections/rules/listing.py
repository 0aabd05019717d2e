"""What becomes of each row of a list that Sales sends (VIP-2): pure, with a reason in Spanish for every row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from shared.operator import Operator


class RowOutcome(StrEnum):
    """What became of a row."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    FAULTY = "faulty"


@dataclass(frozen=True)
class Wanted:
    """A row as Sales wrote it: a customer by the id of its source, and why it belongs there. Without a source the id must be unique."""

    external_id: str
    note: str
    external_source: str | None = None


class Candidate(Protocol):
    """An account that a row may mean."""

    @property
    def id(self) -> UUID: ...
    @property
    def external_source(self) -> str: ...
    @property
    def policy(self) -> str: ...


@dataclass(frozen=True)
class Judged:
    """A row with its line (from 1), the customer that it means where it is one, and what becomes of it."""

    line: int
    wanted: Wanted
    customer_id: UUID | None
    outcome: RowOutcome
    reason: str


def judge_rows(wanted: Sequence[Wanted], candidates: Mapping[str, Sequence[Candidate]], operator: Operator) -> list[Judged]:
    """Judge the rows in their order; of two that mean the same customer the first counts. `candidates` are the accounts by external id."""
    judged: list[Judged] = []
    lines: dict[UUID, int] = {}
    for line, each in enumerate(wanted, start=1):
        meant = [row for row in candidates.get(each.external_id, ()) if each.external_source in (None, row.external_source)]
        outcome, reason = _judge(each, meant, lines, operator)
        customer_id = meant[0].id if len(meant) == 1 else None
        if customer_id is not None and outcome is not RowOutcome.FAULTY:
            lines[customer_id] = line
        judged.append(Judged(line, each, customer_id, outcome, reason))
    return judged


def _judge(wanted: Wanted, meant: Sequence[Candidate], lines: Mapping[UUID, int], operator: Operator) -> tuple[RowOutcome, str]:
    """One row; `lines` are the customers of the good rows above it."""
    policy = operator.policies[operator.qualification.policy]
    if not wanted.external_id:
        return RowOutcome.FAULTY, "Falta el código del cliente."
    if not wanted.note:
        return RowOutcome.FAULTY, f"Falta la nota que diga por qué es {policy.statuses['active']}."
    if not meant:
        source = f" de {wanted.external_source}" if wanted.external_source else ""
        return RowOutcome.FAULTY, f"No hay ningún cliente con el código {wanted.external_id}{source}."
    if len(meant) > 1:
        sources = ", ".join(sorted(row.external_source for row in meant))
        return RowOutcome.FAULTY, f"El código {wanted.external_id} existe en varias fuentes ({sources}): indique cuál."
    if meant[0].id in lines:
        return RowOutcome.FAULTY, f"El cliente ya está en la línea {lines[meant[0].id]} de esta lista."
    if meant[0].policy == policy.code:
        return RowOutcome.UNCHANGED, f"Ya estaba en {policy.name}; nada cambió."
    return RowOutcome.APPLIED, f"Queda en {policy.name}."
