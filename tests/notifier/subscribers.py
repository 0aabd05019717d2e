"""Subscribers for notifier's tests: a real HTTP server on this machine that answers as the test says."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Taken:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Subscriber:
    """What a server got, and how it answers: `answers` for the next requests, then 204. A number is a status, with more headers behind it
    after a blank; "drop" ends the connection without an answer, "slow" answers too late, "flood" never stops answering."""

    answers: list[str] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    linger: float = 0.0
    url: str = ""

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.taken]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                await self._answer(line.decode(), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers = {}
        while (text := (await reader.readline()).decode().strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.taken.append(Taken(line.split()[1], headers, body))
        answer = self.answers.pop(0) if self.answers else "204"
        try:
            await self._write(answer, writer)
        finally:
            self.at_once -= 1

    async def _write(self, answer: str, writer: asyncio.StreamWriter) -> None:
        if answer == "drop":
            raise ConnectionResetError
        if self.linger or answer == "slow":
            await asyncio.sleep(self.linger or 3.0)
        if answer == "flood":
            writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 100000000\r\n\r\n" + b"palabra \x00" * 100_000)
            await writer.drain()
            return
        status, _, more = answer.partition(" ")
        text = b"" if status in {"204", "slow"} else b"dicho por el destino"
        code = "200" if status == "slow" else status
        lines = [f"HTTP/1.1 {code} X", f"content-length: {len(text)}", *([more] if more else [])]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + text)
        await writer.drain()


@asynccontextmanager
async def subscriber(answers: Sequence[str] = (), linger: float = 0.0) -> AsyncIterator[Subscriber]:
    """A server of somebody who subscribed."""
    found = Subscriber(answers=list(answers), linger=linger)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/eventos?de=reconecta"
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()
