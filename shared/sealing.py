"""Secrets that a database keeps but must not tell: closed with a key of the settings, opened where they are used.

A sealed text is `<mark>.<token>`: the mark says by which key (the beginning of its SHA-256), the token is Fernet's (AES-128-CBC with an
HMAC-SHA256). Keys are changed with several at once: the first closes, all open.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from shared.errors import Unavailable

MARK_LENGTH = 8
FORM = re.compile(r"[A-Za-z0-9_-]{43}=")
KEY_FORM = "una clave son 32 octetos al azar en base64 de URL, como los da `openssl rand -base64 32 | tr '+/' '-_'`"
FILE = "webhooks.keys"


class Seal:
    """What a process closes and opens secrets with; `keys`, the newest first. Nobody looks for what older keys closed before `rests_until`
    (machine, monotonic). Raises ValueError, in Spanish, for a text that is no key."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = {mark_of(each): _fernet(each, number) for number, each in enumerate(keys, 1)}
        self.rests_until = 0.0

    @property
    def newest(self) -> str | None:
        """The mark of the key that closes; None without any."""
        return next(iter(self._keys), None)

    @property
    def older(self) -> list[str]:
        """The marks of the keys that only open."""
        return list(self._keys)[1:]

    def close(self, secret: str) -> str:
        """The secret as it may be kept. Raises Unavailable without a key."""
        if self.newest is None:
            raise Unavailable("Esta instalación no tiene con qué guardar secretos.", remedy="Falta la variable RECONECTA_WEBHOOK_KEYS.")
        return f"{self.newest}.{self._keys[self.newest].encrypt(secret.encode()).decode()}"

    def open(self, text: str) -> str | None:
        """The secret; None when its key is not here, or the text was changed. What was kept before there were keys is itself."""
        mark, dot, token = text.partition(".")
        if not dot:
            return text
        try:
            return self._keys[mark].decrypt(token).decode()
        except (KeyError, InvalidToken):
            return None


def mark_of(key: str) -> str:
    """How a key is named without being told."""
    return hashlib.sha256(key.encode()).hexdigest()[:MARK_LENGTH]


def _fernet(key: str, number: int) -> Fernet:
    if not FORM.fullmatch(key):
        raise ValueError(f"la clave {number} no es ninguna: {KEY_FORM}")
    return Fernet(key)


def keys_of(folder: Path) -> list[str]:
    """The keys of an installation on one machine, one a line, the newest first; made on first use, for its owner alone."""
    path = folder / FILE
    if not path.exists():
        add_key(folder)
    return path.read_text().split()


def add_key(folder: Path) -> None:
    """From the next start on secrets are closed with a new key; those that are there still open the older ones."""
    folder.mkdir(parents=True, exist_ok=True)
    path, draft = folder / FILE, folder / f"{FILE}.new"
    known = path.read_text().split() if path.exists() else []
    with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write("\n".join([Fernet.generate_key().decode(), *known, ""]))
    draft.replace(path)
