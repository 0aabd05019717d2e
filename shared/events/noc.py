"""What the NOC tells: outages of access nodes. Topic `noc.events`, key = access node."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.events.base import Event


class OutageDeclared(Event):
    """An access node is down; nobody behind it is cut for non-payment meanwhile."""

    TYPE: ClassVar[str] = "noc.outage_declared.v1"
    outage_id: UUID
    access_node: str
    description: str
    declared_by: str
    declared_at: datetime

    def key(self) -> str:
        return self.access_node


class OutageClosed(Event):
    """The access node works again."""

    TYPE: ClassVar[str] = "noc.outage_closed.v1"
    outage_id: UUID
    access_node: str
    solution: str
    closed_by: str
    closed_at: datetime

    def key(self) -> str:
        return self.access_node
