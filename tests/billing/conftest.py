"""Billing under test: the service on its own, books written line by line, and the invariants looked at after every story."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.billing.app import SERVICE
from services.billing.queries.invariants import invariants
from shared.db import Database
from tests.billing.books import Book
from tests.support.service import Served, serve

START = datetime(2026, 2, 28, 18, tzinfo=UTC)  # noon of the last day of February in Honduras


@pytest.fixture
async def billing(database: Callable[[str], Awaitable[Database]], tmp_path: Path) -> AsyncIterator[Served]:
    """Billing on an empty database at noon of February 28, 2026; what must hold in it is looked at when the test is over."""
    async with serving(await database("billing"), tmp_path) as served:
        yield served


@asynccontextmanager
async def serving(opened: Database, folder: Path, start: datetime = START, **options: Any) -> AsyncIterator[Served]:
    """Billing on this database; afterwards its invariants hold, or the test fails."""
    async with serve(SERVICE, opened, start, data_folder=folder, **options) as served:
        yield served
        async with opened.transaction() as session:
            assert await invariants(session) == []


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A book to be written and imported."""
    return Book(tmp_path)
