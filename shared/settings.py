"""What a process is told from outside: addresses, folders, keys. What the operator decides is in its own files instead."""

import os
import socket
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.sealing import KEY_FORM, Seal

REVOKED = "revoked.json"
SERVICES = ("billing", "collections", "ticketing", "noc", "notifier")


def _that_close(keys: list[str]) -> list[str]:
    Seal(keys)
    return keys


class Settings(BaseSettings):
    """One service's settings, from `RECONECTA_…` variables; its database from `<SERVICE>_DATABASE_URL`, Kafka from `KAFKA_BOOTSTRAP`."""

    model_config = SettingsConfigDict(env_prefix="RECONECTA_", extra="ignore", frozen=True, hide_input_in_errors=True)
    service: str
    database_url: str
    operator_folder: Path = Path("deploy/operators/vip_isp")
    data_folder: Path = Path("data")
    transport: Literal["courier", "kafka"] = "courier"
    kafka_bootstrap: str = Field(default_factory=lambda: os.environ.get("KAFKA_BOOTSTRAP", "localhost:9092"))
    kafka_prefix: str = ""
    kafka_partitions: int = Field(default=6, ge=1)  # of topics that are made; changing it later breaks the order of keys
    kafka_replication: int = Field(default=1, ge=1)
    kafka_session_seconds: int = Field(default=30, ge=6, le=300)  # how long a consumer may be silent before others take its partitions
    kafka_instance: str | None = None  # a name that survives restarts ("@host": the host's): who comes back takes its partitions at once
    clock: Literal["system", "simulated"] = "system"
    token_public_keys: list[str] = []
    revocations: Path | None = None  # the file of revoked tokens, the same for all processes; `revoked.json` in the data folder otherwise
    smtp_url: str | None = None
    maildir: Path | None = None
    webhook_networks: list[str] = []  # private networks that subscribers may be in, as 10.20.0.0/16; everything else must be public
    webhook_keys: Annotated[list[str], AfterValidator(_that_close)] = []  # close the secrets of subscribers; the first closes, all open
    webhook_give_up_days: int = Field(default=5, ge=1, le=60)  # without a single success: then a subscriber gets nothing more
    network: Literal["simulated", "manual"] = "manual"
    upload_limit: int = Field(default=2 * 1024**3, ge=1024, description="bytes of an imported file")
    document_limit: int = Field(default=15 * 1024**2, ge=1024, le=100 * 1024**2, description="bytes of a document stored with a ticket")
    streams_limit: int = Field(default=200, ge=1, description="timelines watched live at a time, per process")
    outbox_shards: int = Field(default=1, ge=1, le=16)
    nightly_audit: bool | None = None  # does each service audit its own database every night? None: on the real clock alone
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def audits_nightly(self) -> bool:
        return self.clock == "system" if self.nightly_audit is None else self.nightly_audit

    @property
    def revocation_file(self) -> Path:
        return self.revocations or self.data_folder / REVOKED

    @model_validator(mode="after")
    def _mail_has_a_way(self) -> Self:
        if self.smtp_url is not None and self.maildir is not None:
            raise ValueError("give `smtp_url` or `maildir`, not both")
        return self

    @property
    def kafka_member(self) -> str | None:
        """Who this worker is to its group; None: nobody in particular."""
        name = socket.gethostname() if self.kafka_instance == "@host" else self.kafka_instance
        return f"{self.service}-{name}" if name else None


def settings_from_environment(service: str) -> Settings:
    """The settings of a service that runs alone. Raises ValueError naming the variable that is missing."""
    variable = f"{service.upper()}_DATABASE_URL"
    url = os.environ.get(variable)
    if not url:
        raise ValueError(f"falta la variable {variable}: la dirección de la base de datos de {service}")
    found = Settings(service=service, database_url=url)
    if service == "notifier" and not found.webhook_keys:
        raise ValueError(f"falta la variable RECONECTA_WEBHOOK_KEYS, una lista JSON de claves; {KEY_FORM}")
    return found
