"""Tokens: a service believes what was signed with a key that it knows, in time, for it, and nothing else."""

import base64
import json
import stat
import time
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from shared.auth import AUDIENCE, Verifier, ensure_keys, issue
from shared.errors import Unauthorized


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, str]:
    return ensure_keys(tmp_path / "keys")


def token(private: str, **changes: object) -> str:
    """A token with claims of the test's own, signed rightly."""
    good = issue(private, person="ana.martinez", name="Ana Martínez", desks=["cobros"], lifetime=timedelta(hours=1))
    claims = {**_part(good, 1), **changes}
    key = OKPKey.import_key(json.loads(private))
    wanted = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({**_part(good, 0)}, wanted, key, algorithms=[str(_part(good, 0)["alg"])])


def _part(text: str, number: int) -> dict[str, object]:
    part = text.split(".")[number]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def refuses(public: str, text: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        Verifier([public]).principal(text)
    assert refused.value.remedy and "token" in refused.value.remedy


def test_a_good_token_tells_who_it_is(keys: tuple[str, str]) -> None:
    private, public = keys
    text = issue(private, person="ana.martinez", name="Ana Martínez", desks=["cobros", "ventas"], lifetime=timedelta(hours=1))
    found = Verifier([public]).principal(text)
    assert (found.person, found.name, found.desks) == ("ana.martinez", "Ana Martínez", frozenset({"cobros", "ventas"}))
    assert found.token_id and found.expires_at.tzinfo is not None


def test_an_expired_token(keys: tuple[str, str]) -> None:
    private, public = keys
    refuses(public, issue(private, person="ana", name="Ana", desks=[], lifetime=timedelta(seconds=-1)))


def test_a_token_that_was_let_in_before_still_expires(keys: tuple[str, str]) -> None:
    private, public = keys
    verifier = Verifier([public])
    text = issue(private, person="ana", name="Ana", desks=[], lifetime=timedelta(seconds=2))
    assert verifier.principal(text) is verifier.principal(text)
    time.sleep(2.1)
    with pytest.raises(Unauthorized):
        verifier.principal(text)


def test_a_token_signed_by_somebody_else(keys: tuple[str, str], tmp_path: Path) -> None:
    other, _ = ensure_keys(tmp_path / "other")
    refuses(keys[1], issue(other, person="ana", name="Ana", desks=[], lifetime=timedelta(hours=1)))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "another"},
        {"iss": None},
        {"exp": None},
        {"sub": None},
        {"name": None},
        {"desks": None},
        {"jti": None},
        {"exp": "soon"},
        {"desks": 7},
    ],
    ids=str,
)
def test_claims_that_are_missing_or_wrong(keys: tuple[str, str], changes: dict[str, object]) -> None:
    private, public = keys
    assert Verifier([public]).principal(token(private)).person == "ana.martinez", "the same token with nothing changed is good"
    refuses(public, token(private, **changes))


def test_no_algorithm_and_another_algorithm(keys: tuple[str, str]) -> None:
    private, public = keys
    good = issue(private, person="ana", name="Ana", desks=["sistemas"], lifetime=timedelta(hours=1))
    header, claims, signature = good.split(".")
    unsigned = _encoded({"alg": "none", "typ": "JWT"})
    refuses(public, f"{unsigned}.{claims}.")
    refuses(public, f"{unsigned}.{claims}.{signature}")
    secret = OctKey.import_key(public)  # the public key used as a shared secret
    refuses(public, jwt.encode({"alg": "HS256"}, _part(good, 1), secret, algorithms=["HS256"]))
    forged = {**_part(good, 1), "desks": ["gerente_cobros"]}
    refuses(public, f"{header}.{_encoded(forged)}.{signature}")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.b", "....", "é.é.é", "Bearer x"])
def test_what_is_no_token(keys: tuple[str, str], text: str) -> None:
    refuses(keys[1], text)


def test_keys_can_be_changed_without_a_pause(tmp_path: Path) -> None:
    old, old_public = ensure_keys(tmp_path / "old")
    new, new_public = ensure_keys(tmp_path / "new")
    both = Verifier([old_public, new_public])
    for private in (old, new):
        assert both.principal(token(private)).person == "ana.martinez"
    refuses(new_public, token(old))


def test_a_service_without_keys_believes_nobody(keys: tuple[str, str]) -> None:
    with pytest.raises(Unauthorized, match="ninguna clave"):
        Verifier([]).principal(token(keys[0]))


def test_a_service_never_holds_the_private_key(keys: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="must not hold the private key"):
        Verifier([keys[0]])


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    first = ensure_keys(tmp_path)
    assert ensure_keys(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "token.private.jwk").stat().st_mode) == 0o600
    assert "d" not in json.loads(first[1]) and json.loads(first[0])["d"]
    assert AUDIENCE == "reconecta"
