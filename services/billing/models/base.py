"""What billing's tables share."""

from enum import StrEnum
from typing import Any

from sqlalchemy import CHAR, CheckConstraint, Column, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Table(SQLModel, registry=registry()):
    """Base of billing's own tables."""


def one_of(column: str, states: type[StrEnum], name: str) -> CheckConstraint:
    """The column holds one of the states' values."""
    values = ", ".join(f"'{each.value}'" for each in states)
    return CheckConstraint(f"{column} IN ({values})", name=name)


def currency_column() -> Any:
    """The currency (ISO 4217) of the amounts beside it."""
    return Field(sa_column=Column(CHAR(3), CheckConstraint("currency ~ '^[A-Z]{3}$'"), nullable=False))


def sorted_text() -> Any:
    """Text that is searched by prefix and paged by value: compared byte by byte, whatever the database's locale is."""
    return Field(sa_column=Column(Text(collation="C"), nullable=False))


def period_column(*, nullable: bool = False) -> Any:
    """A month, written `2026-03`."""
    column: Column[str] = Column(CHAR(7), nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)
