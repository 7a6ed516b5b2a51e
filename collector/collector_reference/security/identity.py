"""Who calls: what a verified token or certificate proves about its holder.

Verifying a token is in `tokens`, a certificate is verified by TLS itself; what the
holder may do is in `authorization`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["ANONYMOUS", "Caller", "of_certificate", "of_claims"]

_URI = "collector:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who calls, as far as it is proven."""

    subject: str
    """The `sub` of its token, the common name of its certificate, or empty."""
    roles: frozenset[str] = frozenset()
    """The roles in its token."""
    claims: Mapping[str, object] = field(default_factory=dict)
    """Every claim of its token."""
    collector_ids: frozenset[str] = frozenset()
    """The ids that it may connect as."""
    authenticated: bool = True
    """Whether anything is proven at all."""


ANONYMOUS = Caller(subject="", authenticated=False)
"""Somebody."""


def of_claims(claims: Mapping[str, object], *, id_claim: str, roles_claim: str) -> Caller:
    """Returns whom a verified token's claims describe; claims of odd types prove nothing."""
    subject = claims.get("sub")
    return Caller(
        subject=subject if isinstance(subject, str) else "",
        roles=frozenset(_texts(claims.get(roles_claim))),
        claims=claims,
        collector_ids=frozenset(_texts(claims.get(id_claim))),
    )


def of_certificate(context: Mapping[str, Iterable[bytes]]) -> Caller:
    """Returns whom a connection's client certificate names, by gRPC's authentication context.

    It proves the ids in its URIs `collector:ID`; where it has none of these, its common name and
    its DNS names, but neither `localhost` nor an address, which everybody's may carry.
    """
    names = [_text(name) for name in context.get("x509_common_name", ())]
    uris = [_text(name) for name in context.get("peer_uri", ())]
    ids = [uri.removeprefix(_URI) for uri in uris if uri.startswith(_URI)]
    if not ids:
        ids = [*names, *(_text(name) for name in context.get("peer_dns", ()))]
    if not names and not ids:
        return ANONYMOUS
    return Caller(
        subject=names[0] if names else ids[0],
        collector_ids=frozenset(each for each in ids if each and not _is_anybodys(each)),
    )


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list):
        return tuple(each for each in value if isinstance(each, str) and each)
    return ()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _is_anybodys(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
