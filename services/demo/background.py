"""The demo's server: a `reconecta up` of its own that goes on when the demo is over."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.installation import Installation, InstallationError, Running
from services.postgres import remove

READY_SECONDS = 60.0
LOG = "reconecta.log"
OURS = "reconecta.lock"  # what every data folder of ours has


@dataclass(frozen=True)
class Background:
    """A server in the background: what it was started with."""

    operator_folder: Path
    data: Path
    port: int
    start: datetime

    def start_fresh(self) -> Running:
        """Stop what runs on the data folder, delete the folder, and start anew. Raises InstallationError."""
        installation = Installation(self.data)
        installation.stop()
        clear(self.data)
        self.data.mkdir(parents=True)
        with (self.data / LOG).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", "up", *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        deadline = time.monotonic() + READY_SECONDS
        while (running := installation.running()) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                end = "\n".join((self.data / LOG).read_text(errors="replace").splitlines()[-5:])
                raise InstallationError(f"El servidor no arrancó; su registro ({self.data / LOG}) termina así:\n{end}")
            time.sleep(0.05)
        return running

    def _options(self) -> list[str]:
        options = {"--operator": self.operator_folder, "--data": self.data, "--port": self.port, "--clock": self.start.isoformat()}
        return [str(part) for option in options.items() for part in option]


def clear(data: Path) -> None:
    """Delete a data folder with its PostgreSQL, wherever that lies. Raises InstallationError for a folder that is not one of ours."""
    if not data.exists():
        return
    if any(data.iterdir()) and not (data / OURS).exists() and not (data / LOG).exists():
        raise InstallationError(f"{data} no es una carpeta de datos de Reconecta: no se borra. Use otra con --data.")
    remove(data / "postgres")
    shutil.rmtree(data)
