"""Certificates and tokens of the nodes of one mesh: given files, or thrown away with the mesh.

How they are made is in `certificates`; what a node is told of them, in the launchers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector_harness.certificates import Authority, needed
from collector_harness.client.credentials import PLAINTEXT, ClientCredentials
from collector_harness.launchers.base import NodeSecurity
from collector_harness.mesh.folder import MeshFolder
from collector_harness.topology.values import Node
from collector_reference.security.values import OwnTokenSettings, TlsSettings, TokenSettings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["MeshCredentials"]

_ISSUER = "collector-harness"
_AUDIENCE = ("collectors",)
_LIFE = 24 * 3600
_CLIENT = "collector-harness"


class MeshCredentials:
    """What every node of a mesh shows and trusts, and how it is called."""

    def __init__(self, folder: MeshFolder, fill: Callable[[str], str]) -> None:
        """`fill` replaces the references in a text."""
        self._folder = folder
        self._fill = fill
        self._authority: Authority | None = None
        self._signing: EllipticCurvePrivateKey | None = None

    def of(self, node: Node) -> NodeSecurity:
        """Returns what the node is told; raises `EnvironmentLacks` without an extra."""
        tls = None
        if (given := node.tls) is not None:
            cert, key, ca = given.cert, given.key, given.ca
            if given.generated:
                cert, key, ca = self._certificate(node.name)
            assert cert is not None
            assert key is not None
            tls = TlsSettings(cert=cert, key=key, ca=ca, client_auth=given.client_auth)
        if node.token is not True:
            return NodeSecurity(tls=tls)
        token = self._folder.place(f"{node.name}.token")
        token.write_text(self._token(node.name, collector_id=node.name))
        return NodeSecurity(
            tls=tls,
            tokens=TokenSettings(
                keys=(self._folder.place("token-key.pem"),), issuer=_ISSUER, audience=_AUDIENCE
            ),
            own_token=OwnTokenSettings(file=token, issuer=_ISSUER, audience=_AUDIENCE),
        )

    def client_of(self, node: Node) -> ClientCredentials:
        """Returns how the harness calls the node."""
        if node.tls is None and node.token is None:
            return PLAINTEXT
        cert: Path | None = None
        key: Path | None = None
        ca: Path | None = None
        if node.tls is not None:
            if node.tls.generated:
                cert, key, ca = self._certificate(_CLIENT)
            else:
                cert, key, ca = node.tls.cert, node.tls.key, node.tls.ca
            if not node.tls.client_auth:
                cert = key = None
        token = self._token(_CLIENT) if node.token is True else node.token
        return ClientCredentials(
            tls=node.tls is not None,
            ca=ca,
            cert=cert,
            key=key,
            token=None if token is None else self._fill(str(token)),
        )

    def _certificate(self, name: str) -> tuple[Path, Path, Path]:
        if self._authority is None:
            self._authority = Authority()
            self._folder.place("ca.pem").write_bytes(self._authority.certificate)
        # A node's name has no slash.
        cert, key = self._folder.place(f"{name}.cert.pem"), self._folder.place(f"{name}.key.pem")
        if not cert.exists():
            pair = self._authority.issue(name)
            key.write_bytes(pair.key)
            cert.write_bytes(pair.cert)
        return cert, key, self._folder.place("ca.pem")

    def _token(self, subject: str, **claims: object) -> str:
        needed("jwt", extra="jwt", what="tokens for a run")
        needed("cryptography", extra="jwt", what="tokens for a run")
        import jwt

        now = int(time.time())
        whole: dict[str, Any] = {
            "iss": _ISSUER,
            "aud": list(_AUDIENCE),
            "sub": subject,
            "iat": now,
            "exp": now + _LIFE,
            **claims,
        }
        return jwt.encode(whole, self._signing_key(), algorithm="ES256")

    def _signing_key(self) -> EllipticCurvePrivateKey:
        if self._signing is None:
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric import ec

            self._signing = ec.generate_private_key(ec.SECP256R1())
            self._folder.place("token-key.pem").write_bytes(
                self._signing.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
        return self._signing
