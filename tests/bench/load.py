"""A load generator that costs little beside the service: raw HTTP/1.1 over kept connections, one request under way on each."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

END = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass
class Load:
    """What came back. `latencies` in seconds; `statuses` counts them, `sample` keeps one answer of each."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    sample: dict[int, bytes] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * share)] * 1000

    def only(self, status: int) -> "Load":
        """Raise unless every answer had this status: a refused request is cheap, and no figure."""
        if set(self.statuses) != {status}:
            raise RuntimeError(f"not only {status}: {dict(self.statuses)} {self.sample}")
        return self


class _Caller(asyncio.Protocol):
    """One connection: sends the next request when the answer to the last one is complete."""

    def __init__(self, requests: Iterator[bytes], found: Load) -> None:
        self._requests, self._found = requests, found
        self._buffer = bytearray()
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(END)
        if head < 0:
            return
        at = self._buffer.lower().find(LENGTH, 0, head) + len(LENGTH)
        size = int(self._buffer[at : self._buffer.find(b"\r\n", at)])
        if len(self._buffer) < head + len(END) + size:
            return
        self._found.latencies.append(time.perf_counter() - self._sent)
        status = int(self._buffer[9:12])
        self._found.statuses[status] += 1
        if status not in self._found.sample:
            self._found.sample[status] = bytes(self._buffer)
        self._buffer.clear()
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def load(port: int, connections: int, count: int, request: Callable[[int], bytes]) -> Load:
    """Send `request(n)` for n below `count` over so many connections, each waiting for its answer."""
    found = Load()
    requests = map(request, range(count))
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    callers = [(await loop.create_connection(lambda: _Caller(requests, found), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.gather(*(each.done for each in callers))
    found.seconds = time.perf_counter() - start
    if len(found.latencies) != count:
        raise RuntimeError(f"{len(found.latencies)} of {count} requests were answered")
    return found


def http(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request as it goes over the wire."""
    given = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(body)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode() + END + body
