"""The registry that keeps this service's tables apart from those of the others."""

from sqlalchemy.orm import registry
from sqlmodel import SQLModel


class Table(SQLModel, registry=registry()):
    """Base of the service's own tables."""
