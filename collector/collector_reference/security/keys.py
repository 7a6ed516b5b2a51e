"""The keys by which tokens are verified or made: JWK sets and PEM files, each key for exactly
one algorithm.

That is what makes key confusion impossible: an algorithm is never taken from a token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector_reference.errors import SettingsError
from collector_reference.security.extra import jwt_library

__all__ = ["ALGORITHMS", "Key", "read_signing_key", "read_verifying_keys"]

ALGORITHMS = ("RS256", "ES256", "HS256")
"""The algorithms that are known."""

_LARGEST_FILE = 1024 * 1024
_MOST_KEYS = 100
_MOST_NAMELESS = 8
_SHORTEST_SECRET = 32
_SHORTEST_RSA = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key and what it is for."""

    kid: str | None
    """What tokens call it; None for one that fits tokens of its algorithm that name no other."""
    algorithm: str
    material: Any
    """What PyJWT takes."""


def read_verifying_keys(paths: Sequence[Path], *, variable: str) -> tuple[Key, ...]:
    """Returns the public keys and shared secrets in the files.

    Raises `SettingsError` for what is no such file, a private key, a weak key, a secret that is
    somebody's public key, or two keys of one name.
    """
    keys: list[Key] = []
    for path in paths:
        keys += _read(path, variable, private=False)
    if len(keys) > _MOST_KEYS:
        raise SettingsError(variable, f"there are {len(keys)} keys; {_MOST_KEYS} are the most")
    names = [key.kid for key in keys if key.kid is not None]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingsError(variable, f"two keys are called '{twice}': give each a kid of its own")
    if len(keys) - len(names) > _MOST_NAMELESS:
        raise SettingsError(variable, f"more than {_MOST_NAMELESS} keys have no kid: name them")
    return tuple(keys)


def read_signing_key(path: Path, *, variable: str) -> Key:
    """Returns the private key or shared secret in the file; raises `SettingsError`."""
    keys = _read(path, variable, private=True)
    if len(keys) != 1:
        raise SettingsError(variable, f"'{path}' holds {len(keys)} keys; it must hold one")
    return keys[0]


def _read(path: Path, variable: str, *, private: bool) -> list[Key]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise SettingsError(
            variable, f"'{path}' cannot be read: {error.strerror or error}"
        ) from error
    if len(content) > _LARGEST_FILE:
        raise SettingsError(variable, f"'{path}' is larger than 1 MiB")
    if content.lstrip().startswith(b"{"):
        return [_of_jwk(jwk, path, variable, private) for jwk in _jwks(content, path, variable)]
    return [_of_pem(content, path, variable, private)]


def _jwks(content: bytes, path: Path, variable: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SettingsError(variable, f"'{path}' is not JSON") from error
    keys = value.get("keys", [value])
    if not isinstance(keys, list) or not all(isinstance(each, dict) for each in keys):
        raise SettingsError(variable, f"'{path}' is not a JWK set: 'keys' is a list of keys")
    if not keys:
        raise SettingsError(variable, f"'{path}' holds no key")
    return keys


def _of_jwk(jwk: dict[str, Any], path: Path, variable: str, private: bool) -> Key:
    jwt = jwt_library(variable)
    kid = jwk.get("kid")
    name = f"key '{kid}' in '{path}'" if isinstance(kid, str) else f"a key in '{path}'"
    expected = {"RSA": "RS256", "EC": "ES256", "oct": "HS256"}.get(str(jwk.get("kty")))
    algorithm = jwk.get("alg", expected)
    if expected is None or algorithm != expected:
        raise SettingsError(
            variable, f"{name} is for none of {', '.join(ALGORITHMS)}: leave it out"
        )
    if expected != "HS256" and ("d" in jwk) is not private:
        raise _wrong_half(name, variable, private)
    try:
        material = jwt.PyJWK(jwk, algorithm=expected).key
    except Exception as error:
        raise SettingsError(variable, f"{name} cannot be used: {type(error).__name__}") from error
    _check_strength(material, name, variable)
    return Key(kid=kid if isinstance(kid, str) else None, algorithm=expected, material=material)


def _of_pem(content: bytes, path: Path, variable: str, private: bool) -> Key:
    jwt_library(variable)
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_pem_public_key,
    )

    if b"-----BEGIN" not in content:
        raise SettingsError(variable, f"'{path}' is neither a JWK set nor a key in PEM")
    if (b"PRIVATE KEY" in content) is not private:
        raise _wrong_half(f"'{path}'", variable, private)
    material: Any
    try:
        material = load_pem_private_key(content, None) if private else load_pem_public_key(content)
    except Exception as error:
        raise SettingsError(
            variable, f"'{path}' is not a key in PEM, or it is encrypted"
        ) from error
    name = f"the key in '{path}'"
    _check_strength(material, name, variable)
    if isinstance(material, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
        return Key(kid=None, algorithm="RS256", material=material)
    if isinstance(material, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)):
        return Key(kid=None, algorithm="ES256", material=material)
    raise SettingsError(variable, f"{name} is neither RSA nor elliptic: use one of these")


def _check_strength(material: Any, name: str, variable: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(material, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
        if material.key_size < _SHORTEST_RSA:
            raise SettingsError(variable, f"{name} has less than {_SHORTEST_RSA} bits")
    elif isinstance(material, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)):
        if material.curve.name != "secp256r1":
            raise SettingsError(variable, f"{name} is not of curve P-256, which ES256 needs")
    elif isinstance(material, bytes):
        if len(material) < _SHORTEST_SECRET:
            raise SettingsError(variable, f"{name} is shorter than {_SHORTEST_SECRET} bytes")
        if b"-----BEGIN" in material or material.startswith(b"ssh-"):
            raise SettingsError(
                variable, f"{name} is a shared secret, but anybody has it: it is a public key"
            )


def _wrong_half(name: str, variable: str, private: bool) -> SettingsError:
    if private:
        return SettingsError(variable, f"{name} is public; tokens are made by a private key")
    return SettingsError(
        variable, f"{name} is private; tokens are verified by the public key: keep this one home"
    )
