"""Lists in the order that somebody asks for: one field, up or down, then the list's own tie-break, page by page by the place of the last
row seen.

A list names its fields with their columns (`Sorting`); `Order` is what was asked, and reads one page. Its own order, both ways, costs the
same at any size; so does another one by an index of its own while nothing is filtered. In every other order the rows that the filter leaves
are sorted for each page, so there may be at most MOST of them: a larger list is refused in that order, with what would help.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, Field, TypeAdapter
from sqlalchemy import Select, func, literal_column, select
from sqlalchemy import text as clause
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import Fetched
from shared.db import rows as fetch
from shared.errors import FieldError, Invalid

T = TypeVar("T")
U = TypeVar("U")
MOST = 10_000  # rows that are sorted for one page
MAX_NUMBER = 2**62  # no row is numbered so high


@dataclass(frozen=True)
class Key:
    """What a list is sorted by: a column or an expression of its query, the type that a cursor's value must have, and that type in SQL.
    `empty`: it may be NULL, which stands last both ways. `indexed`: the whole list can be read in this order by an index; `always`: also
    whatever is filtered."""

    sql: str
    kind: Any
    cast: str
    empty: bool = False
    indexed: bool = False
    always: bool = False

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.kind | None if self.empty else self.kind)

    def read(self, value: Any) -> Any:
        """A cursor's value, typed. Raises ValueError or OverflowError for what no row has."""
        found = self._adapter.validate_python(value)
        if isinstance(found, int) and abs(found) > MAX_NUMBER:
            raise ValueError("no row has such a number")
        if isinstance(found, str):
            found.encode()
        return found.astimezone(UTC) if isinstance(found, datetime) else found


def text(sql: str, *, cast: str = "text", empty: bool = False, indexed: bool = False, always: bool = False) -> Key:
    """Text, compared as the column's collation says; a CHAR column is cast to `bpchar`, or its index could not be used."""
    return Key(sql, str, cast, empty, indexed, always)


def identity(sql: str) -> Key:
    """An id; ours grow in the order in which they are made."""
    return Key(sql, UUID, "uuid")


def number(sql: str, *, empty: bool = False) -> Key:
    """A whole number."""
    return Key(sql, int, "bigint", empty)


def amount(sql: str, *, empty: bool = False) -> Key:
    """Money, or another exact number."""
    return Key(sql, Annotated[Decimal, Field(max_digits=40, decimal_places=20)], "numeric", empty)


def instant(sql: str, *, empty: bool = False) -> Key:
    """An instant (aware)."""
    return Key(sql, AwareDatetime, "timestamptz", empty)


def day(sql: str, *, empty: bool = False, indexed: bool = False) -> Key:
    """A day without a zone."""
    return Key(sql, date, "date", empty, indexed)


def flag(sql: str) -> Key:
    """Yes or no; no comes first."""
    return Key(sql, bool, "boolean")


@dataclass(frozen=True)
class Placed(Generic[T]):
    """An item of a list, and its place in the order: what the cursor of the next page says when it is the last one."""

    item: T
    place: tuple[Any, ...]

    def now(self, item: U) -> "Placed[U]":
        """Another item in the same place."""
        return Placed(item, self.place)


class Sorting:
    """How a list may be sorted: its fields by the names that its items give them, each by its key and, where it has several, at the same
    value by the next. `default` is its own order (`-` before the name: the largest first); `last` tells rows apart that are the same in all
    of that. All go in the same direction."""

    def __init__(self, default: str, last: Key | tuple[Key, ...], /, **fields: Key | tuple[Key, ...]) -> None:
        self.default, self._keys = default, {name: each if isinstance(each, tuple) else (each,) for name, each in fields.items()}
        self.fields = {name: each[0] for name, each in self._keys.items()}
        self._last = last if isinstance(last, tuple) else (last,)
        if default.removeprefix("-") not in fields:
            raise ValueError(f"the list has no field {default} of its own order")

    @property
    def names(self) -> list[str]:
        """All that may be asked for."""
        return both_ways(self.fields)

    def keys(self, sort: str) -> tuple[Key, ...]:
        """The sort key of an order: the field, then what tells rows apart."""
        own = self._keys[sort.removeprefix("-")]
        return (*own, *(each for each in self._last if each.sql not in {key.sql for key in own}))

    def order(self, sort: str | None = None, *, limit: int = 50, after: tuple[Any, ...] | None = None) -> "Order":
        """An order that `names` has, or the list's own."""
        return Order(self, sort or self.default, limit, after)

    def cheap(self, name: str, *, filtered: bool) -> bool:
        """Can the list be read in the order of this field whatever its size?"""
        key = self.fields[name]
        return name == self.default.removeprefix("-") or key.always or (key.indexed and not filtered)


@dataclass(frozen=True)
class Order:
    """A page that is asked for: `limit` rows in the order `sort`, behind the place `after`. One row more is read, to know whether others
    follow."""

    sorting: Sorting
    sort: str
    limit: int
    after: tuple[Any, ...] | None = None

    @property
    def name(self) -> str:
        """The field."""
        return self.sort.removeprefix("-")

    @property
    def down(self) -> bool:
        """Is the largest first?"""
        return self.sort.startswith("-")

    @property
    def keys(self) -> tuple[Key, ...]:
        """The columns of a row's place."""
        return self.sorting.keys(self.sort)

    async def rows(self, session: AsyncSession, sql: str, *args: Any) -> list[Placed[Fetched]]:
        """The page of a driver-level statement that has `{key}` behind its last column and `{page}` behind its last condition; one that
        puts pages together has `{merged}` at its end. An argument that is not None is a filter. Raises Invalid for too many rows in an
        order without an index."""
        filtered = any(each is not None for each in args)
        if self._must_count(filtered=filtered):
            counted = sql.format(key="", page=f"LIMIT {MOST + 1}", merged="")
            total = await fetch(session, f"SELECT count(*) AS total FROM ({counted}) AS counted", *args)
            self._check(total[0].total, filtered=filtered)
        keys = range(len(self.keys))
        key = "".join(f", {self.keys[at].sql} AS key_{at}" for at in keys)
        found: list[Fetched] = []
        for part in self._parts(filtered=filtered):
            marks = [f"${len(args) + 1 + at}" for at in range(len(part.after) + 1)]
            merged = f"ORDER BY {self._each(f'key_{at}' for at in keys)} LIMIT {marks[-1]}"
            asked = sql.format(key=key, page=part.sql(marks), merged=merged)
            found += await fetch(session, asked, *args, *part.after, self.limit + 1 - len(found))
            if len(found) > self.limit:
                break
        return [Placed(row, tuple(row[f"key_{at}"] for at in keys)) for row in found]

    async def select(self, session: AsyncSession, query: Select[*tuple[Any, ...]]) -> list[Placed[Any]]:
        """The page of a query that is not ordered yet: its one entity, or a tuple of all that it selects. Raises Invalid like `rows`."""
        filtered = query.whereclause is not None
        if self._must_count(filtered=filtered):
            some = query.with_only_columns(literal_column("1").label("one"), maintain_column_froms=True).limit(MOST + 1).subquery()
            self._check((await session.execute(select(func.count()).select_from(some))).scalar_one(), filtered=filtered)
        width = len(self.keys)
        wanted = query.add_columns(*(literal_column(each.sql).label(f"key_{at}") for at, each in enumerate(self.keys)))
        found: list[Any] = []
        for part in self._parts(filtered=filtered):
            values = {f"place_{at}": value for at, value in enumerate(part.after)}
            where = part.where.format(*(f":{name}" for name in values))
            page = wanted.where(clause(where).bindparams(**values)) if where else wanted
            page = page.order_by(clause(self._each(part.columns))).limit(self.limit + 1 - len(found))
            found += (await session.execute(page)).all()
            if len(found) > self.limit:
                break
        return [Placed(row[0] if len(row) == width + 1 else tuple(row[:-width]), tuple(row[-width:])) for row in found]

    def _parts(self, *, filtered: bool) -> "list[_Part]":
        """What is read for the page, one after the other: rows with a value in the field, then those without, each by its index."""
        columns = [each.sql for each in self.keys]
        if not self.sorting.cheap(self.name, filtered=filtered):
            columns[0] = f"least({columns[0]})"  # is the same, and no index has it: one of the whole list might be walked to find a few
        if not self.keys[0].empty:
            return [_Part(self, columns, "", self.after or ())]
        without = _Part(self, columns[1:], f"{self.keys[0].sql} IS NULL", ())
        if self.after is not None and self.after[0] is None:
            return [_Part(self, columns[1:], without.only, self.after[1:])]
        return [_Part(self, columns, f"{self.keys[0].sql} IS NOT NULL", self.after or ()), without]

    def _each(self, columns: Iterable[str]) -> str:
        """The columns in the direction that is asked for."""
        return ", ".join(f"{each} {'DESC' if self.down else 'ASC'}" for each in columns)

    def _must_count(self, *, filtered: bool) -> bool:
        """The first page alone finds out: who has read that far reads on, also when the list has grown meanwhile."""
        return self.after is None and not self.sorting.cheap(self.name, filtered=filtered)

    def _check(self, total: int, *, filtered: bool) -> None:
        if total > MOST:
            others = ", ".join(each for each in self.sorting.fields if self.sorting.cheap(each, filtered=filtered))
            error = FieldError(field="sort", message=f"por {self.name} se ordenan a lo sumo {MOST:,} filas")
            raise Invalid("La lista es demasiado larga para ese orden.", errors=[error], remedy=f"Filtre más, u ordene por: {others}.")


@dataclass(frozen=True)
class _Part:
    """Rows of a list in an order: those that meet a condition (`only`) and stand behind a place."""

    asked: Order
    columns: Sequence[str]
    only: str
    after: tuple[Any, ...]

    @property
    def where(self) -> str:
        """The conditions, with a gap for each value of `after`."""
        conditions = [self.only] if self.only else []
        if self.after:
            keys = self.asked.keys[-len(self.columns) :]
            casts = ", ".join(f"CAST({{{at}}} AS {each.cast})" for at, each in enumerate(keys))
            conditions.append(f"({', '.join(self.columns)}) {'<' if self.asked.down else '>'} ({casts})")
        return " AND ".join(conditions)

    def sql(self, marks: Sequence[str]) -> str:
        """All of it behind the conditions that a statement has of its own; the last mark is the limit's."""
        conditions = f"AND {self.where.format(*marks)} " if self.where else ""
        return f"{conditions}ORDER BY {self.asked._each(self.columns)} LIMIT {marks[-1]}"


def both_ways(names: Mapping[str, Any]) -> list[str]:
    """Each name up and down, as `sort` takes them."""
    return [f"{sign}{name}" for name in names for sign in ("", "-")]
