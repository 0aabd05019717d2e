"""One real Apache Kafka for the whole test session, whichever way this machine can have one."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

from docker.errors import DockerException
from testcontainers.core.container import DockerContainer
from testcontainers.core.waiting_utils import wait_for_logs

from deploy.kafka import local
from deploy.kafka.local import KafkaUnavailable

__all__ = ["KafkaUnavailable", "borrow_broker", "stop_brokers"]
IMAGE = "apache/kafka:4.1.2"
NODE = {
    "NODE_ID": "1",
    "PROCESS_ROLES": "broker,controller",
    "LISTENERS": "PLAINTEXT://:9092,INTERNAL://:29092,CONTROLLER://:9093",
    "INTER_BROKER_LISTENER_NAME": "INTERNAL",
    "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "AUTO_CREATE_TOPICS_ENABLE": "false",
}


def borrow_broker(folder: Path) -> str:
    """The session's broker, started by the first who asks: in Docker where that runs, else from its own jars. Raises KafkaUnavailable."""
    with (folder / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = folder / "kafka.json"
        if state.exists():
            return str(json.loads(state.read_text())["bootstrap"])
        found = (_container() if _docker_runs() else None) or {"bootstrap": local.start(folder / "kafka")}
        state.write_text(json.dumps(found))
        return found["bootstrap"]


def stop_brokers(folder: Path) -> None:
    """Stop what `borrow_broker` has started."""
    state = folder / "kafka.json"
    if not state.exists():
        return
    container = json.loads(state.read_text()).get("container")
    if container:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)
    else:
        local.stop(folder / "kafka")


def _docker_runs() -> bool:
    return shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def _container() -> dict[str, str] | None:
    """Apache's own image as one KRaft node; None where it cannot be pulled."""
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"  # the reaper would end it with the first test process; we remove it ourselves
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    container = DockerContainer(IMAGE).with_bind_ports(9092, port)
    for name, value in NODE.items():
        container.with_env(f"KAFKA_{name}", value)
    container.with_env("KAFKA_ADVERTISED_LISTENERS", f"PLAINTEXT://127.0.0.1:{port},INTERNAL://localhost:29092")
    try:
        container.start()
        wait_for_logs(container, "Kafka Server started", timeout=60)
    except (DockerException, TimeoutError):
        return None
    return {"bootstrap": f"127.0.0.1:{port}", "container": str(container.get_wrapped_container().id)}
