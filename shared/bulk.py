"""Rows in one statement, where making them the session's objects would cost more than everything else.

# Note [All that a transaction writes is one statement]
Each statement costs both sides as much as writing some rows, and whoever comes next waits meanwhile. So what a transaction has to write is
gathered as parts (`New`, `Records`, `Changed`, `Sql`), of several tables, and `write` sends them to the server together. Each part finds
what was there before: no row may be of two parts. Foreign keys are checked at the end.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import class_mapper
from sqlmodel import SQLModel

from shared.db import driver, execute, rows

Model = TypeVar("Model", bound=SQLModel)
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
COPIED = 50  # from so many new rows on COPY costs less than taking arrays apart here and putting them together again there
PLACE = re.compile(r"\$(\d+)")


async def read(session: AsyncSession, model: type[Model], which: str, *args: Any) -> list[Model]:
    """The rows of a model that the end of a statement finds (`WHERE …`, driver-level SQL), as objects that no session knows: to look at,
    or to be written back by `update`."""
    await session.flush()
    found = await rows(session, f"SELECT {', '.join(_kinds(model))} FROM {model.__tablename__} {which}", *args)
    return [_of(model, dict(row.items())) for row in found]


def made(model: type[Model], **given: Any) -> Model:
    """A row of a model for `insert`; what is not given is as the model says. The model's own way sets one attribute after the other as
    something that a session may have to write: ten times as much."""
    fixed, factories = _defaults(model)
    return _of(model, {**fixed, **{name: make() for name, make in factories.items() if name not in given}, **given})


def _of(model: type[Model], values: dict[str, Any]) -> Model:
    """As SQLAlchemy makes the objects of the rows that it reads, once it has looked at all models (`class_mapper` sees to that)."""
    found: Model = class_mapper(model).class_manager.new_instance()
    found.__dict__.update(values)
    return found


@lru_cache(maxsize=100)
def _defaults(model: type[SQLModel]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What every row of a model has that is not given, and what is made for each."""
    free = {name: each for name, each in model.model_fields.items() if not each.is_required()}
    factories = {name: each.default_factory for name, each in free.items() if each.default_factory is not None}
    return {name: each.default for name, each in free.items() if name not in factories}, factories


async def insert(session: AsyncSession, objects: Sequence[SQLModel], *, but: str = "", key: str = "id") -> set[Any]:
    """Write objects of one model, none of which the session knows, in the order given. `but` is the clause for what is there already
    (`ON CONFLICT …`). Answers the keys of those that were written."""
    if not objects:
        return set()
    await session.flush()
    sql, values = New(objects, but).statement(len(objects) == 1)
    return {row[key] for row in await rows(session, f"{sql} RETURNING {key}", *values)}


async def update(session: AsyncSession, objects: Sequence[SQLModel], *names: str, key: tuple[str, ...] = ("id",)) -> None:
    """Write these columns of objects of one model, none of them twice."""
    await write(session, Changed(objects, names, key))


@dataclass(frozen=True)
class New:
    """New rows of one model, as objects that no session knows. `but` is the clause for what is there already (`ON CONFLICT …`)."""

    objects: Sequence[SQLModel]
    but: str = ""

    def __len__(self) -> int:
        return len(self.objects)

    def statement(self, alone: bool, first: int = 1) -> tuple[str, list[Any]]:
        """What writes them, with its parameters, the first of which has this number. `alone`: there is one row."""
        model = type(self.objects[0])
        names = tuple(_kinds(model))
        return f"{_insertion(model, names, alone, first)} {self.but}", _values(self.objects, names, alone)


@dataclass(frozen=True)
class Records:
    """New rows of one model as these columns' values, JSON as text."""

    model: type[SQLModel]
    names: tuple[str, ...]
    records: Sequence[Sequence[Any]]

    def __len__(self) -> int:
        return len(self.records)

    def statement(self, alone: bool, first: int = 1) -> tuple[str, list[Any]]:
        """The same."""
        kinds, table = _kinds(self.model), zip(self.names, _columns(self.records), strict=True)
        values = [_lists(each) if _is_list(kinds[name]) else each for name, each in table]
        return _insertion(self.model, self.names, alone, first), [each[0] for each in values] if alone else values


@dataclass(frozen=True)
class Changed:
    """Rows of one model that are there, none of them twice, and which of their columns are to be written."""

    objects: Sequence[SQLModel]
    names: tuple[str, ...]
    key: tuple[str, ...] = ("id",)

    def __len__(self) -> int:
        return len(self.objects)

    def statement(self, alone: bool, first: int = 1) -> tuple[str, list[Any]]:
        """The same."""
        sql = _change(type(self.objects[0]), self.names, self.key, alone, first)
        return sql, _values(self.objects, (*self.key, *self.names), alone)


@dataclass(frozen=True)
class Sql:
    """Rows that a text of one's own writes: its first parameters are lists of their columns (`unnest($1::uuid[], …)`), then `more`."""

    text: str
    table: Sequence[Sequence[Any]]
    more: Sequence[Any] = ()

    def __len__(self) -> int:
        return len(self.table)

    def statement(self, alone: bool, first: int = 1) -> tuple[str, list[Any]]:
        """The same."""
        return _from(self.text, first), [*_columns(self.table), *self.more]


Part = New | Records | Changed | Sql


async def write(session: AsyncSession, *parts: Part) -> None:
    """Write all these, each part's rows in the order given. Raises the driver's own errors. See Note [All that a transaction writes is one
    statement]; only what is many new rows goes before it, by COPY."""
    await session.flush()
    rest = list[Part]()
    for each in parts:
        if isinstance(each, Records) and len(each) > COPIED:
            await (await driver(session)).copy_records_to_table(each.model.__tablename__, records=each.records, columns=each.names)
        elif len(each):
            rest.append(each)
    alone, texts, values = all(len(each) == 1 for each in rest), list[str](), list[Any]()
    for each in rest:
        sql, given = each.statement(alone, len(values) + 1)
        texts.append(sql)
        values += given
    before = ", ".join(f"part_{place} AS ({sql})" for place, sql in enumerate(texts[:-1]))
    if texts:
        await execute(session, f"WITH {before} {texts[-1]}" if before else texts[-1], *values)


@lru_cache(maxsize=400)
def _from(sql: str, first: int) -> str:
    """A text whose first parameter has this number."""
    return PLACE.sub(lambda found: f"${int(found[1]) + first - 1}", sql)


@lru_cache(maxsize=100)
def _kinds(model: type[SQLModel]) -> dict[str, str]:
    """A model's columns, each with its type in PostgreSQL."""
    table = model.__table__  # type: ignore[attr-defined]
    return {each.name: each.type.compile(dialect=DIALECT).partition(" COLLATE ")[0] for each in table.columns}


@lru_cache(maxsize=400)
def _insertion(model: type[SQLModel], names: tuple[str, ...], alone: bool, first: int) -> str:
    return f"INSERT INTO {model.__tablename__} ({', '.join(names)}) SELECT {_cast(model, names)} FROM {_given(model, names, alone, first)}"


@lru_cache(maxsize=400)
def _change(model: type[SQLModel], names: tuple[str, ...], key: tuple[str, ...], alone: bool, first: int) -> str:
    changed = ", ".join(f"{name} = {_cast(model, [name])}" for name in names)
    same = " AND ".join(f"o.{name} = t.{name}" for name in key)
    return f"UPDATE {model.__tablename__} o SET {changed} FROM {_given(model, [*key, *names], alone, first)} WHERE {same}"


def _given(model: type[SQLModel], names: Sequence[str], alone: bool, first: int) -> str:
    """The parameters as a table `t`: one row's values, or lists of them. A list in a row travels as PostgreSQL writes it: `unnest` would
    take lists of lists apart."""
    kinds = ["TEXT" if _is_list(_kinds(model)[name]) else _kinds(model)[name] for name in names]
    if alone:
        return f"(SELECT {', '.join(f'${place}::{kind}' for place, kind in enumerate(kinds, first))}) AS t({', '.join(names)})"
    return f"unnest({', '.join(f'${place}::{kind}[]' for place, kind in enumerate(kinds, first))}) AS t({', '.join(names)})"


def _cast(model: type[SQLModel], names: Sequence[str]) -> str:
    kinds = _kinds(model)
    return ", ".join(f"t.{name}::{kinds[name]}" if _is_list(kinds[name]) else f"t.{name}" for name in names)


def _values(objects: Sequence[SQLModel], names: Sequence[str], alone: bool) -> list[Any]:
    """The objects' values, column by column, as the statement wants them."""
    kinds, found = _kinds(type(objects[0])), []
    for name in names:
        values = [getattr(each, name) for each in objects]
        kind = kinds[name]
        if kind == "JSONB":
            values = [None if each is None else json.dumps(each, ensure_ascii=False) for each in values]
        elif _is_list(kind):
            values = _lists(values)
        found.append(values[0] if alone else values)
    return found


def _columns(table: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(each) for each in zip(*table, strict=True)]


def _is_list(kind: str) -> bool:
    return kind.endswith("[]")


def _lists(values: Sequence[Sequence[Any] | None]) -> list[str | None]:
    """Lists as PostgreSQL writes them."""
    return [None if each is None else _list(each) for each in values]


def _list(values: Sequence[Any]) -> str:
    quoted = (str(each).replace("\\", "\\\\").replace('"', '\\"') for each in values)
    return "{" + ",".join(f'"{each}"' for each in quoted) + "}"
