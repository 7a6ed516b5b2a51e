"""Throw-away certificates and tokens for the nodes of a run: an authority that nobody else
trusts, and that forgets its keys when the process ends.

Needs the extras `certificates` and `jwt`; which node gets what is decided in `mesh.credentials`.
"""

from __future__ import annotations

import importlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from collector_harness.errors import EnvironmentLacks

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, Name

__all__ = ["LOCAL_NAMES", "Authority", "Pair", "needed"]

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""What every certificate of a node carries, so that it can be dialled on this machine."""

_CLOCKS_DIFFER = timedelta(hours=1)
_LIFE = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A certificate and its key, in PEM."""

    cert: bytes
    key: bytes


class Authority:
    """Signs certificates. Raises `EnvironmentLacks` without the extra."""

    def __init__(self, name: str = "collector-harness throw-away authority") -> None:
        needed("cryptography", extra="certificates", what="certificates for a run")
        from cryptography.hazmat.primitives.asymmetric import ec

        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _signed(
            _name(name),
            self._key.public_key(),
            issuer=_name(name),
            by=self._key,
            is_authority=True,
            life=(-_CLOCKS_DIFFER, _LIFE),
        )

    @property
    def certificate(self) -> bytes:
        """What others trust it by, in PEM."""
        return _pem(self._certificate)

    def issue(
        self,
        collector_id: str,
        *,
        names: tuple[str, ...] = LOCAL_NAMES,
        starts: timedelta = -_CLOCKS_DIFFER,
        ends: timedelta = _LIFE,
    ) -> Pair:
        """Returns a certificate for both sides of a connection, and its key.

        It proves the collector id by its common name and the URI `collector:ID`; `names` are
        hosts and addresses. `starts` and `ends` are told from now.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(f"collector:{collector_id}")
        ]
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        certificate = _signed(
            _name(collector_id),
            key.public_key(),
            issuer=self._certificate.subject,
            by=self._key,
            is_authority=False,
            life=(starts, ends),
            alternatives=alternatives,
        )
        return Pair(
            cert=_pem(certificate),
            key=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )


def needed(module: str, *, extra: str, what: str) -> None:
    """Raises `EnvironmentLacks` that names the extra where the module is not installed."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise EnvironmentLacks(
            f"{what} need the extra '{extra}': pip install 'collector-harness[{extra}]'"
        ) from error


def _name(text: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    # A common name has 64 characters at most; the URI has the whole id.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _signed(
    subject: Name,
    public_key: Any,
    *,
    issuer: Name,
    by: EllipticCurvePrivateKey,
    is_authority: bool,
    life: tuple[timedelta, timedelta],
    alternatives: list[Any] | None = None,
) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + life[0])
        .not_valid_after(now + life[1])
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if not is_authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(by, hashes.SHA256())


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)
