"""Who is asking: signed tokens (EdDSA) that carry person, desks and expiry, verified by every service with the public key alone.

Expiry is machine time: a token of a simulated month does not outlive the real day.
"""

import json
import os
from base64 import urlsafe_b64decode
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
from shared.revocation import Revocations
from shared.settings import Settings

AUDIENCE = "reconecta"
ALGORITHM = "Ed25519"  # EdDSA by the name of RFC 9864
KNOWN_TOKENS = 10_000
EPOCH = datetime.fromtimestamp(0, UTC)
REMEDY = (
    "Pida un token con `reconecta token PERSONA --data CARPETA`, de la carpeta con que corre la casa, "
    "y envíelo como «Authorization: Bearer …»."
)


@dataclass(frozen=True)
class Principal:
    """A person (or system) with the desks that it works at. Both instants are machine time (UTC)."""

    person: str
    name: str
    desks: frozenset[str]
    token_id: str
    expires_at: datetime
    issued_at: datetime = EPOCH


class Verifier:
    """Tells who a token belongs to. Holds public keys only; several, so that keys can be changed without a pause. Whether a token was
    revoked is asked each time."""

    def __init__(self, public_keys: Sequence[str], revocations: Revocations | None = None) -> None:
        keys = [OKPKey.import_key(_key_data(each)) for each in public_keys]
        if any(key.is_private for key in keys):
            raise ValueError("a service must not hold the private key that signs tokens")
        self._keys = KeySet(keys)  # type: ignore[arg-type]
        self._empty = not keys
        self._known: dict[str, Principal] = {}
        self._revocations = revocations
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(machine_now().timestamp()),
            iss={"essential": True, "value": AUDIENCE},
            aud={"essential": True, "value": AUDIENCE},
            iat={"essential": True},
            exp={"essential": True},
            sub={"essential": True},
        )

    def principal(self, token: str) -> Principal:
        """Whose token this is. Raises Unauthorized for one that is malformed, expired, revoked or signed by somebody else.

        A signature is checked once: the same text is the same token, until it expires."""
        found = self._known.get(token)
        if found is None or found.expires_at <= machine_now():
            found = self._verified(token)
            if len(self._known) >= KNOWN_TOKENS:
                self._known.clear()
            self._known[token] = found
        if self._revocations is not None and self._revocations.holds(found.person, found.token_id, found.issued_at):
            raise Unauthorized("Esta credencial fue revocada.", remedy=REMEDY)
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
                issued_at=datetime.fromtimestamp(int(claims["iat"]), UTC),
            )
        except (JoseError, ValueError, KeyError, TypeError, OverflowError):
            raise Unauthorized("La credencial no es válida o ya venció.", remedy=REMEDY) from None


def verifier_of(settings: Settings) -> Verifier:
    """The verifier that a process's settings ask for."""
    return Verifier(settings.token_public_keys, Revocations(settings.revocation_file))


def token_id(token: str) -> str:
    """The id of a token, whoever signed it. Raises ValueError for what is no token."""
    try:
        claims = token.split(".")[1]
        return str(json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"])
    except (ValueError, LookupError, TypeError):
        raise ValueError("this is no token") from None


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


def rotate_keys(folder: Path) -> None:
    """From now on tokens are signed with a new key; those of the old one stay good until they expire (`public_keys` names both)."""
    private, public = folder / "token.private.jwk", folder / "token.public.jwk"
    key = OKPKey.import_key(_key_data(public.read_text()))
    public.rename(folder / f"token.public.{key.thumbprint()}.jwk")
    private.unlink()
    ensure_keys(folder)


def public_keys(folder: Path) -> list[str]:
    """The keys whose tokens an installation believes, the newest first; made on first use."""
    newest = ensure_keys(folder)[1]
    return [newest, *(path.read_text() for path in sorted(folder.glob("token.public.*.jwk")))]


def _key_data(text: str) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = json.loads(text)
    return found
