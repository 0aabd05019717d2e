"""librdkafka's mock cluster, from the wheel of confluent-kafka: brokers in this process that answer with whatever error they are told to.

It knows groups, idempotent producers and headers, keeps everything in memory, and makes topics only by `topic`.
"""

import ctypes
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PRODUCE, FETCH, METADATA, OFFSET_COMMIT, COORDINATOR, JOIN, HEARTBEAT, SYNC = 0, 1, 3, 8, 10, 11, 12, 14  # Kafka's numbers of requests
DISCONNECT = -195  # librdkafka's own: the connection ends without an answer
RD_KAFKA_PRODUCER = 0


@dataclass
class MockKafka:
    """A cluster of some brokers. Codes are Kafka's own (6 not the leader, 7 timed out …)."""

    library: ctypes.CDLL
    cluster: ctypes.c_void_p
    bootstrap: str

    def topic(self, name: str, partitions: int) -> None:
        self._did(self.library.rd_kafka_mock_topic_create(self.cluster, name.encode(), partitions, 1))

    def answer(self, request: int, *codes: int) -> None:
        """The next answers to this kind of request, from whichever broker."""
        given = (ctypes.c_int * len(codes))(*codes)
        self.library.rd_kafka_mock_push_request_errors_array(self.cluster, ctypes.c_int16(request), len(codes), given)

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Another broker leads the partition from now on."""
        self._did(self.library.rd_kafka_mock_partition_set_leader(self.cluster, topic.encode(), partition, broker))

    def coordinate(self, group: str, broker: int) -> None:
        """Another broker coordinates the group from now on."""
        self._did(self.library.rd_kafka_mock_coordinator_set(self.cluster, b"group", group.encode(), broker))

    def away(self, broker: int) -> None:
        self._did(self.library.rd_kafka_mock_broker_set_down(self.cluster, broker))

    def back(self, broker: int) -> None:
        self._did(self.library.rd_kafka_mock_broker_set_up(self.cluster, broker))

    def slow(self, broker: int, milliseconds: int) -> None:
        """Every answer of this broker takes so long."""
        self._did(self.library.rd_kafka_mock_broker_set_rtt(self.cluster, broker, milliseconds))

    def _did(self, code: int) -> None:
        if code:
            raise RuntimeError(f"the mock cluster refused: {code}")


@contextmanager
def mock_kafka(brokers: int = 3) -> Iterator[MockKafka]:
    """A cluster, until the block ends."""
    library = _library()
    text = ctypes.create_string_buffer(512)
    handle = library.rd_kafka_new(RD_KAFKA_PRODUCER, library.rd_kafka_conf_new(), text, len(text))
    if not handle:
        raise RuntimeError(text.value.decode())
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(ctypes.c_void_p(handle), brokers))
    try:
        yield MockKafka(library, cluster, library.rd_kafka_mock_cluster_bootstraps(cluster).decode())
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(ctypes.c_void_p(handle))


def _library() -> ctypes.CDLL:
    spec = importlib.util.find_spec("confluent_kafka")
    assert spec is not None and spec.origin is not None
    (path,) = (Path(spec.origin).parents[1] / "confluent_kafka.libs").glob("librdkafka-*.so*")
    importlib.import_module("confluent_kafka")  # what the library itself needs is loaded with it
    library = ctypes.CDLL(str(path))
    for name in ("rd_kafka_new", "rd_kafka_conf_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_new.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library
