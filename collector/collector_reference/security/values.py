"""The settings of security as frozen values, and how the environment becomes them.

Files are only named here; they are read, and read again, where they are used.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from collector_reference.errors import SettingsError

__all__ = [
    "Exposure",
    "OwnTokenSettings",
    "TlsSettings",
    "TokenSettings",
    "security_from",
]

_LONGEST_LEEWAY = timedelta(minutes=10)


class Exposure(enum.Enum):
    """Who may call one of the standard services of a collector that asks for credentials."""

    OPEN = "open"
    """Everybody who can connect."""
    GUARDED = "guarded"
    """Who may call anything else; for reflection the default."""
    OFF = "off"
    """Nobody: it is not on the port."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsSettings:
    """The certificate of a collector, for its port and for what it dials (SEC-001)."""

    cert: Path
    """PEM; the certificate and what stands between it and the root."""
    key: Path
    """PEM, not encrypted."""
    ca: Path | None = None
    """PEM; what others are trusted by. None for what the machine trusts."""
    client_auth: bool = False
    """Whether who calls must show a certificate that `ca` has signed (mTLS)."""

    def __post_init__(self) -> None:
        if self.client_auth and self.ca is None:
            raise SettingsError(
                "COLLECTOR_TLS_CLIENT_AUTH",
                "who calls is trusted by COLLECTOR_TLS_CA, which is not set: set it",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenSettings:
    """What a bearer token must be to be believed (SEC-002)."""

    keys: tuple[Path, ...]
    """Files of keys: JWK sets with any number of keys, or PEM with one public key each."""
    issuer: str | None = None
    """What its `iss` must be; None for any."""
    audience: tuple[str, ...] = ()
    """One of these must be in its `aud`; none given: it must have no `aud` at all."""
    leeway: timedelta = timedelta(seconds=10)
    """By how much clocks may differ."""
    id_claim: str = "collector_id"
    """The claim that says which collector ids its holder may connect as."""
    roles_claim: str = "roles"
    """The claim that lists its holder's roles."""

    def __post_init__(self) -> None:
        if not self.keys:
            raise SettingsError("COLLECTOR_TOKEN_KEYS", "name at least one file of keys")
        if not timedelta(0) <= self.leeway <= _LONGEST_LEEWAY:
            raise SettingsError(
                "COLLECTOR_TOKEN_LEEWAY", "the leeway is from 0 to 600 seconds; use a few"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnTokenSettings:
    """The token that a collector presents to its peers, a remote registry and its loopback."""

    file: Path | None = None
    """Holds the token; read again when it changes. Exactly one of this and `signing_key`."""
    signing_key: Path | None = None
    """A private key, PEM or JWK, by which it makes tokens of its own."""
    issuer: str | None = None
    """The `iss` of tokens that it makes."""
    audience: tuple[str, ...] = ()
    """The `aud` of tokens that it makes."""
    id_claim: str = "collector_id"
    """The claim of tokens that it makes in which its id stands."""
    life: timedelta = timedelta(minutes=5)
    """How long a token that it makes is good for; it makes the next one a fifth earlier."""

    def __post_init__(self) -> None:
        if (self.file is None) == (self.signing_key is None):
            raise SettingsError(
                "COLLECTOR_TOKEN_FILE",
                "the own token comes from COLLECTOR_TOKEN_FILE or is made by "
                "COLLECTOR_TOKEN_SIGNING_KEY: set one of them",
            )


def _tls_from(environment: Mapping[str, str]) -> TlsSettings | None:
    """Reads COLLECTOR_TLS_*; None where nothing of it is set. Raises `SettingsError`."""
    cert, key, ca = (_path(environment, f"COLLECTOR_TLS_{name}") for name in ("CERT", "KEY", "CA"))
    client_auth = environment.get("COLLECTOR_TLS_CLIENT_AUTH") or "none"
    if client_auth not in ("none", "require"):
        raise SettingsError(
            "COLLECTOR_TLS_CLIENT_AUTH", f"'{client_auth}' is neither 'none' nor 'require'"
        )
    if cert is None and key is None:
        if ca is not None:
            raise SettingsError("COLLECTOR_TLS_CA", _LACKS.format("COLLECTOR_TLS_CERT and _KEY"))
        if client_auth != "none":
            raise SettingsError(
                "COLLECTOR_TLS_CLIENT_AUTH", _LACKS.format("COLLECTOR_TLS_CERT, _KEY and _CA")
            )
        return None
    if key is None:
        raise SettingsError("COLLECTOR_TLS_CERT", _LACKS.format("COLLECTOR_TLS_KEY"))
    if cert is None:
        raise SettingsError("COLLECTOR_TLS_KEY", _LACKS.format("COLLECTOR_TLS_CERT"))
    return TlsSettings(cert=cert, key=key, ca=ca, client_auth=client_auth == "require")


_LACKS = "it needs {}, which is not set: set them together, or none of them"


def _tokens_from(environment: Mapping[str, str]) -> TokenSettings | None:
    """Reads what callers' tokens must be; None where no keys are set. Raises `SettingsError`."""
    keys = _listed(environment, "COLLECTOR_TOKEN_KEYS")
    if not keys:
        return None
    text = environment.get("COLLECTOR_TOKEN_LEEWAY") or "10"
    try:
        leeway = timedelta(seconds=float(text))
    except (ValueError, OverflowError) as error:
        raise SettingsError(
            "COLLECTOR_TOKEN_LEEWAY", f"'{text}' is not a number of seconds, such as 10"
        ) from error
    return TokenSettings(
        keys=tuple(Path(name) for name in keys),
        issuer=environment.get("COLLECTOR_TOKEN_ISSUER") or None,
        audience=_listed(environment, "COLLECTOR_TOKEN_AUDIENCE"),
        leeway=leeway,
        id_claim=environment.get("COLLECTOR_TOKEN_ID_CLAIM") or "collector_id",
        roles_claim=environment.get("COLLECTOR_TOKEN_ROLES_CLAIM") or "roles",
    )


def _own_token_from(environment: Mapping[str, str]) -> OwnTokenSettings | None:
    """Reads what the collector presents; None where nothing is set. Raises `SettingsError`."""
    file = _path(environment, "COLLECTOR_TOKEN_FILE")
    signing_key = _path(environment, "COLLECTOR_TOKEN_SIGNING_KEY")
    if file is None and signing_key is None:
        return None
    return OwnTokenSettings(
        file=file,
        signing_key=signing_key,
        issuer=environment.get("COLLECTOR_TOKEN_ISSUER") or None,
        audience=_listed(environment, "COLLECTOR_TOKEN_AUDIENCE"),
        id_claim=environment.get("COLLECTOR_TOKEN_ID_CLAIM") or "collector_id",
    )


def security_from(environment: Mapping[str, str]) -> dict[str, object]:
    """Returns the fields of the settings that the variables of security mean.

    Raises `SettingsError` naming the variable.
    """
    return {
        "tls": _tls_from(environment),
        "tokens": _tokens_from(environment),
        "own_token": _own_token_from(environment),
        "policy": _path(environment, "COLLECTOR_POLICY"),
        "health": _exposure(
            environment, "COLLECTOR_HEALTH", Exposure.OPEN, (Exposure.OPEN, Exposure.GUARDED)
        ),
        "reflection": _exposure(
            environment, "COLLECTOR_REFLECTION", Exposure.GUARDED, tuple(Exposure)
        ),
    }


def _exposure(
    environment: Mapping[str, str],
    variable: str,
    default: Exposure,
    allowed: tuple[Exposure, ...],
) -> Exposure:
    text = environment.get(variable) or default.value
    for exposure in allowed:
        if exposure.value == text:
            return exposure
    known = " or ".join(f"'{exposure.value}'" for exposure in allowed)
    raise SettingsError(variable, f"'{text}' is not {known}")


def _path(environment: Mapping[str, str], variable: str) -> Path | None:
    text = environment.get(variable)
    return Path(text) if text else None


def _listed(environment: Mapping[str, str], variable: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environment.get(variable, "").split(",") if part.strip())
