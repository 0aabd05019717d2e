"""New rows in one statement, where making them the session's objects would cost more than everything else."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from shared.db import flush, rows

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


async def insert(session: AsyncSession, objects: Sequence[SQLModel], *, but: str = "", key: str = "id") -> set[Any]:
    """Write objects of one model, none of which the session knows, in the order given. `but` is the clause for what is there already
    (`ON CONFLICT …`). Answers the keys of those that were written. A table with arrays is not for this."""
    if not objects:
        return set()
    await flush(session)
    sql, names, documents = _statement(type(objects[0]))
    columns = [[_document(getattr(each, name)) if name in documents else getattr(each, name) for each in objects] for name in names]
    return {row[key] for row in await rows(session, f"{sql} {but} RETURNING {key}", *columns)}


@lru_cache(maxsize=100)
def _statement(model: type[SQLModel]) -> tuple[str, tuple[str, ...], frozenset[str]]:
    """The statement, the columns in its order, and those of them that are JSON."""
    table = model.__table__  # type: ignore[attr-defined]
    names = tuple(each.name for each in table.columns)
    kinds = [each.type.compile(dialect=DIALECT).partition(" COLLATE ")[0] for each in table.columns]
    given = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(kinds, start=1))
    documents = frozenset(name for name, kind in zip(names, kinds, strict=True) if kind == "JSONB")
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({given})", names, documents


def _document(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
