"""Apache Kafka as the transport between services: topics `<service>.events`, CloudEvents 1.0 in binary mode, offsets kept in PostgreSQL."""

from shared.kafka.cluster import ensure_topics, from_record, to_headers, topic_of
from shared.kafka.lag import KafkaLag
from shared.kafka.offsets import ConsumedOffset
from shared.kafka.sink import KafkaSink
from shared.kafka.source import KafkaSource

__all__ = ["ConsumedOffset", "KafkaLag", "KafkaSink", "KafkaSource", "ensure_topics", "from_record", "to_headers", "topic_of"]
