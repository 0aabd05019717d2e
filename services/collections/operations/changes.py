"""What one transaction changes on some locked accounts: rows to write and events to tell, collected and then written together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from services.collections.operations.happenings import tell_all
from services.collections.queries.accounts import unknown_customer
from services.collections.rules.terms import Book, Terms
from shared.bulk import Part, Records, Sql, write
from shared.db import rows
from shared.events import Event
from shared.outbox import Outgoing

LOCK = "SELECT id, version FROM account WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
VERSIONS = """
UPDATE account a SET version = t.version FROM unnest($1::uuid[], $2::int[]) AS t(id, version) WHERE a.id = t.id AND a.version <> t.version
"""


class Rows(NamedTuple):
    """New rows of a model, with the columns that they give."""

    model: type[SQLModel]
    columns: tuple[str, ...]


@dataclass
class Changes:
    """The accounts under lock with their versions, and what is to be written and told of them. Every event of an account raises its
    version."""

    book: Book
    now: datetime
    versions: dict[UUID, int] = field(default_factory=dict)
    items: list[Outgoing] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    inserts: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    added: dict[Rows, list[tuple[Any, ...]]] = field(default_factory=dict)
    touched: set[UUID] = field(default_factory=set)

    def terms(self, policy: str) -> Terms:
        """The terms of a policy."""
        return self.book.terms(policy)

    def tell(self, account_id: UUID, event: Event) -> int:
        """Add an event of this account; answers the account's version with it."""
        self.versions[account_id] += 1
        self.touched.add(account_id)
        self.items.append(Outgoing(event, f"account/{account_id}", self.versions[account_id]))
        return self.versions[account_id]

    def insert(self, sql: str, *values: Any) -> None:
        """Add a row that changes, for a statement that takes a list for each column (`FROM unnest($1::uuid[], …)`)."""
        self.inserts.setdefault(sql, []).append(values)

    def add(self, kind: Rows, *values: Any) -> None:
        """Add a new row."""
        self.added.setdefault(kind, []).append(values)

    def versioned(self, account_id: UUID) -> int:
        """The account's version with all that was told so far, for a statement that writes it beside something else."""
        self.touched.discard(account_id)
        return self.versions[account_id]

    async def write(self, session: AsyncSession) -> None:
        """Write the new rows, the versions, the events, and whatever other `parts` there are, in one statement; before it, each
        but the last of the statements that change rows of others in bulk."""
        changed = [Sql(sql, table) for sql, table in self.inserts.items()]
        for each in changed[:-1]:  # a cut may be handed over and reconnected at once: no row may be of two parts
            await write(session, each)
        parts = [*self.parts, *(Records(*kind, added) for kind, added in self.added.items()), *changed[-1:]]
        versions = [(each, self.versions[each]) for each in sorted(self.touched)]
        await tell_all(session, self.items, now=self.now, beside=[*parts, Sql(VERSIONS, versions)])
        self.items, self.parts, self.touched, self.inserts, self.added = [], [], set(), {}, {}


def id_array(ids: Iterable[UUID]) -> str:
    """Ids as one value of a row for `Changes.insert`: as PostgreSQL writes arrays, because `unnest` would take lists of lists apart. The
    statement casts it (`::uuid[]`)."""
    return f"{{{','.join(map(str, ids))}}}"


async def lock_accounts(session: AsyncSession, ids: Sequence[UUID], *, book: Book, now: datetime) -> Changes:
    """Lock these accounts, in the order of their ids; unknown ones are left out."""
    found = await rows(session, LOCK, list(ids))
    return Changes(book, now, {row.id: row.version for row in found})


async def lock_account(session: AsyncSession, account_id: UUID, *, book: Book, now: datetime) -> Changes:
    """Lock one account. Raises NotFound."""
    changes = await lock_accounts(session, [account_id], book=book, now=now)
    if account_id not in changes.versions:
        raise unknown_customer(account_id)
    return changes
