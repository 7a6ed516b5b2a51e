"""Certificates of throw-away authorities, signed tokens, and callers that present them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from collector_harness.certificates import LOCAL_NAMES, Authority
from collector_reference.security.values import TlsSettings
from collector_reference.wire import dispatcher_pb2_grpc, registry_pb2_grpc
from collector_reference.wire.common_pb2 import ServiceTypeRef
from collector_reference.wire.dispatcher_pb2 import ConnectRequest, DispatchRequest, ServeRequest

ISSUER = "https://issuer.example"
AUDIENCE = "collectors"


class Files:
    """The files of one collector's certificate, which can be renewed."""

    def __init__(self, folder: Path, collector_id: str, authority: Authority) -> None:
        self.folder = folder / f"tls-{collector_id}"
        self.folder.mkdir(exist_ok=True)
        self.collector_id = collector_id
        self.cert = self.folder / "cert.pem"
        self.key = self.folder / "key.pem"
        self.ca = self.folder / "ca.pem"
        self.renew(authority)

    def renew(
        self,
        authority: Authority,
        *,
        trusted: Authority | None = None,
        names: tuple[str, ...] = LOCAL_NAMES,
        starts: timedelta = timedelta(hours=-1),
        ends: timedelta = timedelta(hours=1),
    ) -> None:
        pair = authority.issue(self.collector_id, names=names, starts=starts, ends=ends)
        for path, content in (
            (self.cert, pair.cert),
            (self.key, pair.key),
            (self.ca, (trusted or authority).certificate),
        ):
            new = path.with_suffix(".new")
            new.write_bytes(content)
            new.rename(path)

    def settings(self, *, client_auth: bool = False, with_ca: bool = True) -> TlsSettings:
        return TlsSettings(
            cert=self.cert,
            key=self.key,
            ca=self.ca if with_ca else None,
            client_auth=client_auth,
        )


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> Callable[..., Files]:
    """Makes the files of a collector's certificate."""

    def make(collector_id: str = "west", by: Authority | None = None) -> Files:
        return Files(tmp_path, collector_id, by or authority)

    return make


class SecureCaller:
    """Calls one collector over a channel of its own, with credentials and a token or without."""

    def __init__(
        self, address: str, credentials: grpc.ChannelCredentials | None, token: str | None
    ) -> None:
        options = (("grpc.use_local_subchannel_pool", 1),)
        self.channel = (
            grpc.aio.insecure_channel(address, options=options)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options=options)
        )
        self.metadata: tuple[tuple[str, str], ...] = (
            () if token is None else (("authorization", f"Bearer {token}"),)
        )
        self.dispatcher = dispatcher_pb2_grpc.CollectiveDispatcherStub(self.channel)
        self.registry = registry_pb2_grpc.CollectorRegistryStub(self.channel)

    async def call(self, rpc: Any, request: Any) -> Any:
        return await rpc(request, metadata=self.metadata, timeout=15)

    async def dispatch(
        self, namespace: str, method: str, *, service: str = "conformance.Probe", target: str = ""
    ) -> Any:
        return await self.call(
            self.dispatcher.Dispatch,
            DispatchRequest(
                namespace=namespace,
                service=ServiceTypeRef(service_name=service),
                method_name=method,
                target_collector_id=target,
            ),
        )

    async def serve(
        self, namespace: str, method: str, *, service: str = "conformance.Probe"
    ) -> Any:
        return await self.call(
            self.dispatcher.Serve,
            ServeRequest(
                namespace=namespace,
                service=ServiceTypeRef(service_name=service),
                method_name=method,
            ),
        )

    async def connect(self, collector_id: str, address: str, *namespaces: str) -> Any:
        return await self.call(
            self.dispatcher.Connect,
            ConnectRequest(collector_id=collector_id, address=address, namespaces=namespaces),
        )


@pytest.fixture
def caller(field: Any) -> Callable[..., SecureCaller]:
    """Makes callers; their channels are closed when the test is over."""

    def make(
        address: str,
        *,
        trusting: Authority | None = None,
        showing: Files | None = None,
        token: str | None = None,
    ) -> SecureCaller:
        credentials = None
        if trusting is not None:
            credentials = grpc.ssl_channel_credentials(
                trusting.certificate,
                None if showing is None else showing.key.read_bytes(),
                None if showing is None else showing.cert.read_bytes(),
            )
        made = SecureCaller(address, credentials, token)
        field._stack.push_async_callback(made.channel.close)
        return made

    return make


@dataclass
class Signer:
    """A private key that tokens are made by, and the public half as a JWK."""

    algorithm: str
    key: Any
    kid: str | None = None

    def jwk(self, *, private: bool = False) -> dict[str, Any]:
        if isinstance(self.key, bytes):
            text = base64.urlsafe_b64encode(self.key).rstrip(b"=").decode()
            made: dict[str, Any] = {"kty": "oct", "k": text}
        else:
            algorithm = jwt.get_algorithm_by_name(self.algorithm)
            made = algorithm.to_jwk(self.key if private else self.key.public_key(), as_dict=True)
            made.pop("key_ops", None)
        if self.kid is not None:
            made["kid"] = self.kid
        return made

    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def private_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def token(self, *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Returns a good token but for what is given; a claim of None is left out."""
        now = time.time()
        whole = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "somebody",
            "iat": int(now),
            "exp": int(now) + 300,
            **claims,
        }
        given = {name: value for name, value in whole.items() if value is not None}
        named = {} if self.kid is None else {"kid": self.kid}
        return jwt.encode(
            given, self.key, algorithm=self.algorithm, headers={**named, **(headers or {})}
        )


_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def signer() -> Callable[..., Signer]:
    """Makes signers by algorithm."""

    def make(algorithm: str = "ES256", kid: str | None = "first") -> Signer:
        if algorithm == "RS256":
            # One for all tests of the process: making it takes a while.
            return Signer(algorithm, _RSA, kid)
        if algorithm == "ES256":
            return Signer(algorithm, ec.generate_private_key(ec.SECP256R1()), kid)
        return Signer(algorithm, b"0123456789abcdef0123456789abcdef", kid)

    return make


@pytest.fixture
def key_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes the public halves of signers into a JWK set."""

    def write(*signers: Signer, name: str = "keys.json") -> Path:
        path = tmp_path / name
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"keys": [each.jwk() for each in signers]}))
        new.rename(path)
        return path

    return write


@pytest.fixture
def refused() -> Callable[..., Any]:
    """Returns the gRPC error of a call, as (code name, text)."""

    async def read(call: Any) -> tuple[str, str]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        return caught.value.code().name, caught.value.details() or ""

    return read
