"""The certificates of a node or service as people write them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from collector_harness.documents import Short, StrictModel

__all__ = ["TlsSpec", "WrittenTls"]


def _tls(value: object) -> object:
    if value is True:
        return {"generate": True}
    if value == "mutual":
        return {"generate": True, "client_auth": True}
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - pydantic collects it
            f"'{value}' is not how a node speaks TLS\n"
            "write true, mutual, or the files {cert: ..., key: ..., ca: ...}"
        )
    return None if value is False else value


class TlsSpec(StrictModel):
    """The certificates of a node: files, or made for the run."""

    cert: str | None = Field(default=None, description="The file of its certificate.")
    key: str | None = Field(default=None, description="The file of its private key.")
    ca: str | None = Field(default=None, description="The file of what it trusts peers by.")
    client_auth: StrictBool = Field(default=False, description="Whether clients need one (mTLS).")
    generate: StrictBool = Field(
        default=False, description="Whether the harness makes certificates for the run."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        files = {name for name in ("cert", "key", "ca") if getattr(self, name) is not None}
        if self.generate and files:
            raise ValueError(
                "certificates are either given or generated\nleave out `generate`, or the files"
            )
        if not self.generate and not {"cert", "key"} <= files:
            raise ValueError(
                "a certificate needs `cert` and `key`\n"
                "or let the harness make one: tls: true, or tls: mutual"
            )
        if self.client_auth and not self.generate and "ca" not in files:
            raise ValueError("`client_auth` needs a `ca`, which clients are trusted by")
        return self


WrittenTls = Annotated[
    TlsSpec | None, BeforeValidator(_tls), Short({"enum": [True, False, "mutual"]})
]
"""The files, or `true` and `mutual` for certificates that are made for the run."""
