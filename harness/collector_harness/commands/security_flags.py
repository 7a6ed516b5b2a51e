"""The flags of `collector-harness serve` that are about security; see docs/security.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["SECURITY_FLAGS"]

SECURITY_FLAGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "COLLECTOR_TLS_CERT": (
        "--tls-cert",
        "FILE",
        "Its certificate, in PEM. It listens and dials with TLS then.",
    ),
    "COLLECTOR_TLS_KEY": ("--tls-key", "FILE", "The key of its certificate, in PEM."),
    "COLLECTOR_TLS_CA": (
        "--tls-ca",
        "FILE",
        "What peers and callers are trusted by. Default: what the machine trusts.",
    ),
    "COLLECTOR_TLS_CLIENT_AUTH": (
        "--tls-client-auth",
        "none|require",
        "Whether who calls must show a certificate. Default: none.",
    ),
    "COLLECTOR_TOKEN_KEYS": (
        "--token-keys",
        "FILES",
        "Keys of bearer tokens, JWK sets or PEM, comma-separated; every call needs a token then.",
    ),
    "COLLECTOR_TOKEN_ISSUER": ("--token-issuer", "TEXT", "What the issuer of tokens must be."),
    "COLLECTOR_TOKEN_AUDIENCE": (
        "--token-audience",
        "TEXTS",
        "Audiences of which a token must name one, comma-separated.",
    ),
    "COLLECTOR_TOKEN_LEEWAY": (
        "--token-leeway",
        "SECONDS",
        "By how much clocks may differ. Default: 10.",
    ),
    "COLLECTOR_TOKEN_ID_CLAIM": (
        "--token-id-claim",
        "NAME",
        "The claim with the collector ids of a token's holder. Default: collector_id.",
    ),
    "COLLECTOR_TOKEN_ROLES_CLAIM": (
        "--token-roles-claim",
        "NAME",
        "The claim with the roles of a token's holder. Default: roles.",
    ),
    "COLLECTOR_TOKEN_FILE": (
        "--token-file",
        "FILE",
        "The token that it presents to its peers.",
    ),
    "COLLECTOR_TOKEN_SIGNING_KEY": (
        "--token-signing-key",
        "FILE",
        "Instead: the private key by which it makes such tokens.",
    ),
    "COLLECTOR_POLICY": (
        "--policy",
        "FILE",
        "The rules of who may do what, in YAML or TOML. Default: who is let in may do all.",
    ),
    "COLLECTOR_HEALTH": (
        "--health",
        "open|guarded",
        "Who may ask the health service. Default: open.",
    ),
    "COLLECTOR_REFLECTION": (
        "--reflection",
        "guarded|open|off",
        "Who may ask reflection. Default: guarded.",
    ),
}
"""Flag, placeholder and help by the variable that the flag stands for."""
