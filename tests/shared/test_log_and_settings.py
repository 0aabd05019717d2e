"""Logs are JSON lines with their trace; settings come from the environment and name what is missing."""

import io
import json
import logging
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from shared import log
from shared.settings import Settings, settings_from_environment

URL = "postgresql://billing:secret@localhost/billing"


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_log_line_is_json_with_its_trace(stream: io.StringIO) -> None:
    log.configure("INFO", stream)
    with log.traced("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"):
        log.get_logger("web").info("sent", customer="Peña\n{}")
    log.get_logger("web").debug("not shown")
    (line,) = lines(stream)
    assert line["event"] == "sent" and line["part"] == "web" and line["level"] == "info" and line["customer"] == "Peña\n{}"
    assert line["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736" and str(line["timestamp"]).endswith("Z")
    assert log.trace_id() is None


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    """Its disk is full, or whoever read it is gone: a loop that reports a failure must not end by that."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as nobody, Path("/dev/full").open("w", encoding="utf-8") as full:
        for stream in (nobody, full):
            log.configure("INFO", stream)
            for _ in range(3):
                log.get_logger("worker").warning("step failed", detail="x" * 10_000)
            with suppress(OSError):
                stream.close()


def test_an_exception_is_written_with_its_place(stream: io.StringIO) -> None:
    log.configure("INFO", stream)
    try:
        raise KeyError("x")
    except KeyError:
        log.get_logger("worker").error("step failed", exc_info=True)
    assert "KeyError" in str(lines(stream)[0]["exception"])


def test_a_lost_connection_is_told_by_who_lost_it_alone(stream: io.StringIO) -> None:
    """The pool's own words, an error with its trace for each connection, would bury it when a server goes away."""
    log.configure("INFO", stream)
    logging.getLogger("sqlalchemy.pool.impl.AsyncAdaptedQueuePool").error("Exception during reset or similar")
    logging.getLogger("aiokafka").error("no broker")
    assert [each["event"] for each in lines(stream)] == ["no broker"]


def test_an_exception_shows_no_values_of_its_functions(stream: io.StringIO) -> None:
    def charge(customer: str) -> None:
        tax_id = "0501" + "2024252421"
        raise ValueError(f"{len(customer + tax_id)} letters")

    log.configure("INFO", stream)
    try:
        charge("María " + "Martínez")
    except ValueError:
        log.get_logger("worker").exception("step failed")
    (line,) = lines(stream)
    assert "in charge" in str(line["exception"]) and "ValueError: 28 letters" in str(line["exception"])
    assert "05012024252421" not in stream.getvalue() and "María Martínez" not in stream.getvalue()


def test_no_command_is_without_its_log() -> None:
    """What nobody configured would write the values of every variable on the way."""
    leak = "from shared.log import get_logger\ndef charge():\n tax_id = '0501' + '2024252421'\n raise ValueError\n"
    leak += "try: charge()\nexcept ValueError: get_logger('x').exception('import failed')\n"
    code = "import sys\nfrom services.cli import main\nsys.argv = ['reconecta', '--help']\ntry: main()\nexcept SystemExit: pass\n" + leak
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "in charge" in found.stderr and "05012024252421" not in found.stdout + found.stderr


@pytest.mark.parametrize("given", [None, "", "x", "00-zz-00f067aa0ba902b7-01", "00-" + "0" * 31 + "-00f067aa0ba902b7-01"])
def test_a_trace_that_is_none_begins_a_new_one(given: str | None) -> None:
    made = log.new_traceparent(given)
    assert log.TRACEPARENT.match(made) and made != log.new_traceparent(given)


def test_a_span_more_in_the_same_trace() -> None:
    given = log.new_traceparent()
    made = log.new_traceparent(given)
    assert made != given and made.split("-")[1] == given.split("-")[1]


def test_a_service_reads_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_DATABASE_URL", URL)
    monkeypatch.setenv("RECONECTA_TRANSPORT", "kafka")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka:9092")
    found = settings_from_environment("billing")
    assert (found.service, found.database_url, found.transport, found.kafka_bootstrap) == ("billing", URL, "kafka", "kafka:9092")
    assert found.clock == "system" and found.network == "manual", "production is what nobody has to ask for"


def test_the_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOC_DATABASE_URL", raising=False)
    with pytest.raises(ValueError, match="falta la variable NOC_DATABASE_URL"):
        settings_from_environment("noc")


def test_mail_has_one_way_and_errors_hold_no_secret() -> None:
    with pytest.raises(ValidationError) as wrong:
        Settings(service="notifier", database_url=URL, smtp_url="smtp://user:hunter2@mail", maildir=Path("mails"))
    assert "not both" in str(wrong.value) and "hunter2" not in str(wrong.value)


def test_a_worker_takes_its_name_from_its_host_where_it_is_told_to() -> None:
    told = {each: Settings(service="noc", database_url="", kafka_instance=each).kafka_member for each in ("2", "@host", None)}
    assert told == {"2": "noc-2", "@host": f"noc-{socket.gethostname()}", None: None}


def test_the_notifier_is_told_which_key_is_missing_and_what_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", URL)
    monkeypatch.delenv("RECONECTA_WEBHOOK_KEYS", raising=False)
    with pytest.raises(ValueError, match=r"falta la variable RECONECTA_WEBHOOK_KEYS.*openssl rand -base64 32"):
        settings_from_environment("notifier")
    monkeypatch.setenv("RECONECTA_WEBHOOK_KEYS", '["hunter2hunter2hunter2"]')
    with pytest.raises(ValueError, match="la clave 1 no es ninguna") as wrong:
        settings_from_environment("notifier")
    assert "hunter2" not in str(wrong.value)
    monkeypatch.setenv("RECONECTA_WEBHOOK_KEYS", f'["{Fernet.generate_key().decode()}"]')
    assert len(settings_from_environment("notifier").webhook_keys) == 1
