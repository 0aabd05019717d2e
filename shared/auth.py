"""Who is asking: signed tokens (EdDSA) that carry person, desks and expiry, verified by every service with the public key alone.

Expiry is machine time: a token of a simulated month does not outlive the real day.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from shared.clock import machine_now
from shared.db import new_id
from shared.errors import Unauthorized

AUDIENCE = "reconecta"
ALGORITHM = "Ed25519"  # EdDSA by the name of RFC 9864
KNOWN_TOKENS = 10_000
REMEDY = (
    "Pida un token con `reconecta token PERSONA --data CARPETA`, de la carpeta con que corre la casa, "
    "y envíelo como «Authorization: Bearer …»."
)


@dataclass(frozen=True)
class Principal:
    """A person (or system) with the desks that it works at. `expires_at` is machine time (UTC)."""

    person: str
    name: str
    desks: frozenset[str]
    token_id: str
    expires_at: datetime


class Verifier:
    """Tells who a token belongs to. Holds public keys only; several, so that keys can be changed without a pause."""

    def __init__(self, public_keys: Sequence[str]) -> None:
        keys = [OKPKey.import_key(_key_data(each)) for each in public_keys]
        if any(key.is_private for key in keys):
            raise ValueError("a service must not hold the private key that signs tokens")
        self._keys = KeySet(keys)  # type: ignore[arg-type]
        self._empty = not keys
        self._known: dict[str, Principal] = {}
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(machine_now().timestamp()),
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
        )

    def principal(self, token: str) -> Principal:
        """Whose token this is. Raises Unauthorized for one that is malformed, expired or signed by somebody else.

        A signature is checked once: the same text is the same token, until it expires."""
        found = self._known.get(token)
        if found is None or found.expires_at <= machine_now():
            found = self._verified(token)
            if len(self._known) >= KNOWN_TOKENS:
                self._known.clear()
            self._known[token] = found
        return found

    def _verified(self, token: str) -> Principal:
        if self._empty:
            raise Unauthorized("Este servicio no tiene ninguna clave pública con la que verificar credenciales.", remedy=REMEDY)
        try:
            claims = jwt.decode(token, self._keys, algorithms=[ALGORITHM]).claims
            self._claims.validate(claims)
            return Principal(
                person=str(claims["sub"]),
                name=str(claims["name"]),
                desks=frozenset(map(str, claims["desks"])),
                token_id=str(claims["jti"]),
                expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
            )
        except (JoseError, ValueError, KeyError, TypeError):
            raise Unauthorized("La credencial no es válida o ya venció.", remedy=REMEDY) from None


def issue(private_key: str, *, person: str, name: str, desks: Iterable[str], lifetime: timedelta) -> str:
    """Sign a token for a person, valid from now for `lifetime`."""
    key = OKPKey.import_key(_key_data(private_key))
    now = machine_now()
    claims = {
        "iss": AUDIENCE,
        "aud": AUDIENCE,
        "sub": person,
        "name": name,
        "desks": sorted(desks),
        "jti": str(new_id()),
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}, claims, key, algorithms=[ALGORITHM])


def ensure_keys(folder: Path) -> tuple[str, str]:
    """The signing key of an installation and its public half (JWK texts), made on first use; only the owner may read the private one."""
    private, public = folder / "token.private.jwk", folder / "token.public.jwk"
    folder.mkdir(parents=True, exist_ok=True)
    if not private.exists():
        key = OKPKey.generate_key("Ed25519", {"alg": ALGORITHM, "use": "sig"}, auto_kid=True)
        with open(private, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(json.dumps(key.as_dict(private=True)))
    key = OKPKey.import_key(_key_data(private.read_text()))
    public.write_text(json.dumps(key.as_dict(private=False)))
    return private.read_text(), public.read_text()


def _key_data(text: str) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = json.loads(text)
    return found
