"""Alembic runs this file for every service; what it does is in the package."""

from alembic import context

from shared.migrations import run

run(context)
