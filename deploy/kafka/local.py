"""A real Apache Kafka on this machine without Docker: Apache's own jars by Maven, run by Java as one KRaft node.

`python -m deploy.kafka.local start [FOLDER]` prints the bootstrap address and leaves the broker running; `stop` ends it.
Everything lives in FOLDER (data, log, pid, ports); a second start of the same folder finds the same data at the same address.
"""

import argparse
import base64
import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
LIBS = HERE / "target" / "libs"
DEFAULT_FOLDER = Path("var/kafka")
READY_SECONDS = 60.0
STOP_SECONDS = 20.0
_children: dict[Path, subprocess.Popen[bytes]] = {}  # the brokers that this process started, to be waited for when they end

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
"""


class KafkaUnavailable(Exception):
    """Kafka could not be had on this machine; the message says what is missing."""


def missing() -> str | None:
    """What keeps this machine from running a local broker, or None."""
    absent = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if not absent or (absent == ["mvn"] and LIBS.is_dir()):
        return None
    return f"not on the PATH: {', '.join(absent)}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes out until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def jars() -> Path:
    """Apache Kafka's jars, fetched once by Maven (43 MB). Raises KafkaUnavailable."""
    with _locked(HERE / "target" / "lock"):
        if LIBS.is_dir():
            return LIBS
        if reason := missing():
            raise KafkaUnavailable(reason)
        fresh = LIBS.with_name(f"libs.{os.getpid()}")
        command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={fresh}"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if result.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise KafkaUnavailable(f"Maven could not fetch Kafka: {(result.stdout + result.stderr)[-1000:]}")
        fresh.rename(LIBS)
        return LIBS


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, outside the range from which outgoing connections take theirs."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _java(*args: str) -> list[str]:
    options = ["-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return ["java", *options, "-cp", f"{jars()}/*", *args]


def _prepare(folder: Path) -> None:
    """Write the configuration and format the storage, once per folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "server.properties"
    broker, controller = _free_ports(2)
    draft = folder / "server.properties.new"
    draft.write_text(PROPERTIES.format(broker=broker, controller=controller, data=(folder / "data").resolve()))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = _java("kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}", "-c", str(draft))
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if result.returncode != 0:
        raise KafkaUnavailable(f"Kafka could not format {folder}: {(result.stdout + result.stderr)[-1000:]}")
    (folder / "bootstrap").write_text(f"127.0.0.1:{broker}")
    draft.rename(config)


def _pid(folder: Path) -> int | None:
    """The broker's process, if it is ours and runs: its command line names the folder's configuration."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / "kafka.pid").read_text())
        if str((folder / "server.properties").resolve()).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return None


def _answers(address: str) -> bool:
    """True when the broker answers an ApiVersions request: it listens a moment before it does."""
    host, port = address.split(":")
    request = b"\x00\x12\x00\x00\x00\x00\x00\x01\x00\x03run"
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=2) as connection:
        connection.sendall(len(request).to_bytes(4, "big") + request)
        return len(connection.recv(4)) == 4
    return False


def start(folder: Path) -> str:
    """Run the broker of this folder, if it does not run yet; answer its bootstrap address. Raises KafkaUnavailable."""
    folder = folder.resolve()
    with _locked(folder / "lock"):
        if not (folder / "server.properties").exists():
            _prepare(folder)
        address = (folder / "bootstrap").read_text()
        if _pid(folder) is None:
            command = _java("kafka.Kafka", str(folder / "server.properties"))
            with (folder / "kafka.log").open("ab") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True)
            _children[folder] = process
            (folder / "kafka.pid").write_text(str(process.pid))
        _wait_until_ready(folder, address)
    return address


def _wait_until_ready(folder: Path, address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    child = _children.get(folder)
    while not _answers(address):
        ended = child.poll() is not None if child else _pid(folder) is None
        if ended or time.monotonic() > deadline:
            tail = (folder / "kafka.log").read_text(errors="replace")[-1000:]
            raise KafkaUnavailable(f"Kafka did not start in {folder}: {tail}")
        time.sleep(0.05)


def stop(folder: Path, *, kill: bool = False) -> None:
    """End the broker of this folder, if it runs; `kill` gives it no chance to say goodbye."""
    folder = folder.resolve()
    pid = _pid(folder)
    if pid is None:
        return
    os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _pid(folder) == pid:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    if child := _children.pop(folder, None):
        child.wait(STOP_SECONDS)
    (folder / "kafka.pid").unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a local Apache Kafka (one KRaft node).")
    parser.add_argument("command", choices=["start", "stop"], nargs="?", default="start")
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER)
    arguments = parser.parse_args()
    try:
        if arguments.command == "start":
            sys.stdout.write(f"{start(arguments.folder)}\n")
        else:
            stop(arguments.folder)
    except KafkaUnavailable as error:
        sys.exit(f"Kafka: {error}")


if __name__ == "__main__":
    main()
