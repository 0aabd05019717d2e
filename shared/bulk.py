"""Rows of one model in one statement, where making them the session's objects would cost more than everything else."""

import json
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
    sql, values = New(objects).statement(len(objects) == 1)
    return {row[key] for row in await rows(session, f"{sql} {but} RETURNING {key}", *values)}


async def update(session: AsyncSession, objects: Sequence[SQLModel], *names: str, key: tuple[str, ...] = ("id",)) -> None:
    """Write these columns of objects of one model, none of them twice."""
    await write(session, Changed(objects, names, key))


@dataclass(frozen=True)
class New:
    """New rows of one model."""

    objects: Sequence[SQLModel]

    def statement(self, alone: bool, first: int = 1) -> tuple[str, list[Any]]:
        """What writes them, with its parameters, the first of which has this number. `alone`: there is one row."""
        model = type(self.objects[0])
        return _insertion(model, alone, first), _values(self.objects, list(_kinds(model)), alone)


@dataclass(frozen=True)
class Changed:
    """Rows of one model that are there, none of them twice, and which of their columns are to be written."""

    objects: Sequence[SQLModel]
    names: tuple[str, ...]
    key: tuple[str, ...] = ("id",)

    def statement(self, alone: bool, first: int = 1) -> tuple[str, list[Any]]:
        """The same."""
        sql = _change(type(self.objects[0]), self.names, self.key, alone, first)
        return sql, _values(self.objects, [*self.key, *self.names], alone)


async def write(session: AsyncSession, *parts: New | Changed) -> None:
    """Write all these in one statement: no row may be of two parts, for each part finds what was there before."""
    parts = tuple(each for each in parts if each.objects)
    if not parts:
        return
    await session.flush()
    alone, texts, values = all(len(each.objects) == 1 for each in parts), list[str](), list[Any]()
    for each in parts:
        sql, given = each.statement(alone, len(values) + 1)
        texts.append(sql)
        values += given
    before = ", ".join(f"part_{place} AS ({sql})" for place, sql in enumerate(texts[:-1]))
    await execute(session, f"WITH {before} {texts[-1]}" if before else texts[-1], *values)


async def write_rows(session: AsyncSession, table: str, columns: Sequence[str], records: Sequence[Sequence[Any]]) -> None:
    """Write new rows in the order given: one as a statement, many by COPY, which spares taking arrays apart here and putting them
    together again there. Raises the driver's own errors."""
    if len(records) == 1:
        await execute(session, insertion(table, columns), *records[0])
    elif records:
        await (await driver(session)).copy_records_to_table(table, records=records, columns=columns)


def insertion(table: str, columns: Sequence[str]) -> str:
    """The statement that writes one row."""
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"


@lru_cache(maxsize=100)
def _kinds(model: type[SQLModel]) -> dict[str, str]:
    """A model's columns, each with its type in PostgreSQL."""
    table = model.__table__  # type: ignore[attr-defined]
    return {each.name: each.type.compile(dialect=DIALECT).partition(" COLLATE ")[0] for each in table.columns}


@lru_cache(maxsize=200)
def _insertion(model: type[SQLModel], alone: bool, first: int) -> str:
    names = list(_kinds(model))
    return f"INSERT INTO {model.__tablename__} ({', '.join(names)}) SELECT {_cast(model, names)} FROM {_given(model, names, alone, first)}"


@lru_cache(maxsize=200)
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
            values = [None if each is None else _list(each) for each in values]
        found.append(values[0] if alone else values)
    return found


def _is_list(kind: str) -> bool:
    return kind.endswith("[]")


def _list(values: Sequence[Any]) -> str:
    quoted = (str(each).replace("\\", "\\\\").replace('"', '\\"') for each in values)
    return "{" + ",".join(f'"{each}"' for each in quoted) + "}"
