"""Tokens that are no longer good although they have not expired: a small file that every process reads anew when it changes.

Instants are machine time (UTC).

# Note [A file, and never forgotten]
Whoever takes a stolen token out of use does not wait behind a million events, and needs neither a database nor a broker that lives. So
revocations do not travel: they stand in a file beside the other files that all processes share. A file that vanishes or cannot be read
takes nothing back: what a process has once read stays revoked until it ends; one that could never read it lets nobody in.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ValidationError

from shared.errors import Unavailable
from shared.log import get_logger

log = get_logger("revocation")
LOOK_SECONDS = 1.0
LONGEST_TOKEN = timedelta(days=366)  # nothing that was revoked earlier could still be good


class Revoked(BaseModel):
    """What the file holds: people whose tokens are good only if they were issued later, and single tokens by their id."""

    people: dict[str, AwareDatetime] = {}
    tokens: dict[str, AwareDatetime] = {}

    def holds(self, person: str, token_id: str, issued_at: datetime) -> bool:
        """Is this token revoked? One of the very second in which its person's were revoked is."""
        before = self.people.get(person)
        return (before is not None and issued_at <= before) or token_id in self.tokens


@dataclass
class Revocations:
    """The file as this process knows it; looked at once a second at most, and only when somebody asks."""

    path: Path
    _known: Revoked | None = field(default=None, init=False)
    _stamp: tuple[int, int, int] | None = field(default=None, init=False)
    _look_at: float = field(default=0.0, init=False)

    def holds(self, person: str, token_id: str, issued_at: datetime) -> bool:
        """Is this token revoked? Raises Unavailable where the file was there from the beginning and could never be read."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._look()
        if self._known is None:
            raise Unavailable("No se puede leer qué credenciales fueron revocadas.", remedy="Revise el archivo de revocaciones.")
        return self._known.holds(person, token_id, issued_at)

    def _look(self) -> None:
        try:
            stamp = _stamp_of(self.path)
            if stamp != self._stamp:
                self._known = read(self.path)
                self._stamp = stamp
        except FileNotFoundError:
            self._known = self._known or Revoked()
        except (OSError, ValueError) as error:
            log.error("revocations cannot be read", path=str(self.path), error=type(error).__name__)


def read(path: Path) -> Revoked:
    """What a file holds. Raises OSError, and ValueError for one that is not ours."""
    try:
        return Revoked.model_validate_json(path.read_bytes())
    except ValidationError:
        raise ValueError(f"{path} no es un archivo de revocaciones") from None


def revoke(path: Path, now: datetime, *, person: str | None = None, token_id: str | None = None) -> None:
    """Write down that a person's tokens issued until `now`, or one token, are no longer good. Raises what `read` raises."""
    known = read(path) if path.exists() else Revoked()
    if person is not None:
        known.people[person] = now
    if token_id is not None:
        known.tokens[token_id] = now
    kept = Revoked(people=_recent(known.people, now), tokens=_recent(known.tokens, now))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(kept.model_dump_json(indent=1))
    fresh.replace(path)


def _recent(found: dict[str, datetime], now: datetime) -> dict[str, datetime]:
    return {name: at for name, at in found.items() if now - at < LONGEST_TOKEN}


def _stamp_of(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
