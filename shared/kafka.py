"""Apache Kafka as the transport between services: topics `<service>.events`, CloudEvents 1.0 in binary mode, offsets kept in PostgreSQL."""

from sqlalchemy import BigInteger, Column
from sqlmodel import Field

from shared.db import MessagingTable


class ConsumedOffset(MessagingTable, table=True):
    """How far this service has consumed a partition, written in the transaction of the batch; it rules over Kafka's own offset."""

    __tablename__ = "consumed_offset"
    topic: str = Field(primary_key=True)
    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    next_offset: int = Field(sa_column=Column(BigInteger, nullable=False))
