"""The house as production runs it: api and worker processes, a conductor, real Kafka between them, one address before them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from shared.db import new_id
from shared.settings import SERVICES
from tests.support.history import History
from tests.support.service import WEBHOOK_KEY, keys, operator, token
from tests.support.terminals import Terminals

READY_SECONDS = 300.0
STOP_SECONDS = 30.0
FEWEST_TRIES = 3  # a machine may stand still for longer than anybody waits
MODULE = "RECONECTA_TEST_MODULE"  # what is started in place of `services.cli`


@dataclass
class Process:
    """One `reconecta …` of its own. It can be killed and started again: everything it knows is in its database."""

    name: str
    arguments: list[str]
    port: int
    environment: Mapping[str, str]
    log: Path
    running: subprocess.Popen[bytes] | None = None
    asked: bool = False  # to end
    answered: bool = False
    folder: Path | None = None  # where its code lies, if not here
    instead: Mapping[str, str] = field(default_factory=dict)  # of what its environment says

    def start(self) -> None:
        environment = {**self.environment, **self.instead}
        module = environment.get(MODULE, "services.cli")
        command = [sys.executable, "-m", module, *self.arguments, "--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=self.folder)
        self.asked = False

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    def kill(self) -> None:
        """As a power cut would."""
        assert self.running is not None
        self.running.kill()
        self.running.wait(STOP_SECONDS)

    def freeze(self) -> None:
        """It stands still, and all that it holds stays held, until `thaw`."""
        assert self.running is not None
        self.running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.running is not None
        self.running.send_signal(signal.SIGCONT)

    def ask(self) -> None:
        """Ask it to end: once, for whoever is ending hears no signal any more and dies of it."""
        assert self.running is not None
        if not self.asked and self.running.poll() is None:
            self.running.send_signal(signal.SIGTERM)
        self.asked = True

    def stop(self) -> int:
        """Ask it to end, and wait; its exit code."""
        assert self.running is not None
        self.ask()
        try:
            return self.running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop: {self.tail()}") from None

    async def ready(self, path: str) -> None:
        """Wait until it answers."""
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=5, trust_env=False) as client:
            while True:
                assert self.running is not None and self.running.poll() is None, f"{self.name} ended: {self.tail()}"
                try:
                    if (await client.get(path)).status_code == 200:
                        self.answered = True
                        return
                except httpx.TransportError:
                    pass
                assert asyncio.get_running_loop().time() < deadline, f"{self.name} does not answer: {self.tail()}"
                await asyncio.sleep(0.1)

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])


class Gateway(httpx.AsyncBaseTransport):
    """The one address: the first part of the path chooses the process, as deploy/gateway does."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = ports
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        port = self._ports[request.url.path.split("/")[1]]
        request.url = request.url.copy_with(host="127.0.0.1", port=port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Repeating(httpx.AsyncBaseTransport):
    """Asks again, with the same Idempotency-Key, until it is answered: no connection, 5xx and "still under way" are no answer."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        deadline, tries = asyncio.get_running_loop().time() + READY_SECONDS, 0
        while True:
            tries += 1
            again = httpx.Request(request.method, request.url, headers=request.headers, content=body, extensions=request.extensions)
            try:
                response = await self._inner.handle_async_request(again)
                await response.aread()
                if response.status_code < 500 and not (response.status_code == 409 and "en curso" in response.text):
                    return response
                why = response.text
            except httpx.TransportError as error:
                why = repr(error)
            late = asyncio.get_running_loop().time() > deadline and tries >= FEWEST_TRIES
            assert not late, f"{request.url}: nobody answers: {why}"
            await asyncio.sleep(0.2)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Processes(Terminals):
    """Eleven processes behind one address. With `repeating`, people ask again until they are answered; what they ask for goes into
    the `history`."""

    folder: Path
    processes: dict[str, Process]
    stack: AsyncExitStack
    repeating: bool = False
    history: History | None = None
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.operator, self.maildir = operator(), self.folder / "correo"

    def ports(self) -> dict[str, int]:
        """Where the gateway sends the first part of a path."""
        return {name: self.processes[f"api {name}"].port for name in SERVICES} | {"simulation": self.processes["conductor"].port}

    async def another_worker(self, service: str, variables: Mapping[str, str]) -> Process:
        """A second worker of a service, ready; its caller stops it."""
        first = self.processes[f"worker {service}"]
        (port,) = _free_ports(1)
        log = self.folder / f"worker-{service}-2.log"
        made = Process(f"worker {service} 2", first.arguments, port, {**first.environment, **variables}, log)
        made.start()
        await made.ready(f"/{service}/health/live")
        return made

    def as_(self, person: str) -> httpx.AsyncClient:
        if person not in self.clients:
            ports = self.ports()

            async def key(request: httpx.Request) -> None:
                if request.method == "POST" and "idempotency-key" not in request.headers:
                    request.headers["idempotency-key"] = str(new_id())

            self.clients[person] = httpx.AsyncClient(
                transport=Repeating(Gateway(ports)) if self.repeating else Gateway(ports),
                base_url="http://reconecta",
                headers={"authorization": f"Bearer {token(person)}"},
                event_hooks={"request": [key]},
                timeout=300,
            )
            if self.history is not None:
                self.history.listen(self.clients[person])
            self.stack.push_async_callback(self.clients[person].aclose)
        return self.clients[person]


@asynccontextmanager
async def open_processes(
    databases: Mapping[str, str],
    folder: Path,
    *,
    kafka_bootstrap: str | None,
    start: str = "2026-03-01T00:00",
    repeating: bool = False,
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[Processes]:
    """Start them all on five clean databases, joined by Kafka (or by the Courier without its address); stop them at the end, all together.
    `variables` are added to every environment."""
    ports = iter(_free_ports(2 * len(SERVICES) + 1))
    common = _environment(folder, kafka_bootstrap) | dict(variables or {})
    processes = {}
    for name in SERVICES:
        addresses = {f"{each.upper()}_DATABASE_URL": url for each, url in databases.items() if each == name or kafka_bootstrap is None}
        for role in ("api", "worker"):
            log = folder / f"{role}-{name}.log"
            processes[f"{role} {name}"] = Process(f"{role} {name}", ["serve", role, name], next(ports), common | addresses, log)
    ends = ",".join(f"{name}=http://127.0.0.1:{processes[f'worker {name}'].port}" for name in SERVICES)
    conducting = common | {"RECONECTA_CONDUCTOR_ENDS": ends, "RECONECTA_CONDUCTOR_TOKEN": token("admin")}
    arguments = ["conductor", "--start", f"{start}-06:00"]
    conductor = Process("conductor", arguments, next(ports), conducting, folder / "conductor.log")
    async with AsyncExitStack() as stack:
        for each in processes.values():
            each.start()
            stack.callback(_end, each)
        for name, each in processes.items():
            await each.ready(f"/{name.split()[1]}/health/ready")
        conductor.start()
        stack.callback(_end, conductor)
        await conductor.ready("/health/live")
        yield Processes(folder, processes | {"conductor": conductor}, stack, repeating)
        for each in (conductor, *processes.values()):
            each.ask()


def _end(process: Process) -> None:
    code = process.stop()
    assert code == 0 or not process.answered, f"{process.name} ended with {code}: {process.tail()}"


def _environment(folder: Path, kafka_bootstrap: str | None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    transport = {"RECONECTA_TRANSPORT": "courier"}
    if kafka_bootstrap is not None:
        transport = {
            "RECONECTA_TRANSPORT": "kafka",
            "KAFKA_BOOTSTRAP": kafka_bootstrap,
            "RECONECTA_KAFKA_PREFIX": f"t{new_id().hex[-8:]}.",
            "RECONECTA_KAFKA_PARTITIONS": "2",
        }
    return kept | transport | {
        "PYTHONUNBUFFERED": "1",
        "RECONECTA_CLOCK": "simulated",
        "RECONECTA_NETWORK": "simulated",
        "RECONECTA_MAILDIR": str(folder / "correo"),
        "RECONECTA_DATA_FOLDER": str(folder / "files"),
        "RECONECTA_TOKEN_PUBLIC_KEYS": json.dumps([keys()[1]]),
        "RECONECTA_WEBHOOK_KEYS": json.dumps([WEBHOOK_KEY]),
        "RECONECTA_LOG_LEVEL": "WARNING",
    }  # fmt: skip


def _free_ports(count: int) -> Sequence[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
