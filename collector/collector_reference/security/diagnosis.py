"""Why a connection fails although somebody listens: plaintext against TLS, TLS against plaintext,
or certificates that are not trusted. gRPC itself tells too little of it.

Nothing is decided by what is found here: it becomes the text of an error.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from collector_reference.addresses import host_and_port

__all__ = ["MOST_SECONDS", "why_unreachable"]

MOST_SECONDS = 2.0
"""How long looking may take."""

_TLS_RECORDS = (0x15, 0x16)
_FRAME_HEADER = 9
_SETTINGS = 0x04
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0])


async def why_unreachable(
    address: str,
    context: ssl.SSLContext | None,
    *,
    name: str | None = None,
    seconds: float = MOST_SECONDS,
) -> str | None:
    """Returns what is wrong between a client and who listens at the address, None where nothing
    is found within `seconds`. `context` is how the client dials, None for plaintext, and `name`
    what a certificate must carry, the host of the address when None.
    """
    place = host_and_port(address)
    if place is None:
        return None
    try:
        async with asyncio.timeout(min(seconds, MOST_SECONDS)):
            if context is None:
                return await _of_plaintext(*place)
            return await _of_tls(*place, context, name)
    except (OSError, TimeoutError):
        return None


async def _of_plaintext(host: str, port: int) -> str | None:
    if await _speaks_tls(host, port):
        return "plaintext against TLS: it speaks TLS, and was dialled in plaintext"
    return None


async def _of_tls(host: str, port: int, context: ssl.SSLContext, name: str | None) -> str | None:
    tls = await _speaks_tls(host, port)
    # Some servers hang up at a greeting that they do not understand.
    if tls is False or (tls is None and await _speaks_plaintext(host, port)):
        return "TLS against plaintext: it speaks plaintext, and was dialled with TLS"
    try:
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname=name or host
        )
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message}"
    except ssl.SSLError as error:
        return f"TLS failed: {error.reason or 'no reason is given'}"
    try:
        writer.write(_HTTP2_PREFACE)
        # In TLS 1.3 a server that does not take the client's certificate hangs up only now.
        if await reader.read(1):
            return None
    except (ssl.SSLError, ConnectionError):
        pass
    finally:
        await _closed(writer)
    return "it hangs up once TLS is up: it does not accept the certificate that it was shown"


async def _speaks_tls(host: str, port: int) -> bool | None:
    """Returns whether who listens answers a TLS greeting in TLS, None where that is not told."""
    greeting = ssl.MemoryBIO()
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname = False
    anything.verify_mode = ssl.CERT_NONE
    anything.set_alpn_protocols(["h2"])
    with suppress(ssl.SSLWantReadError):
        anything.wrap_bio(ssl.MemoryBIO(), greeting).do_handshake()
    answer = await _answer(host, port, greeting.read())
    if not answer:
        return None
    if answer[0] in _TLS_RECORDS and answer[1:2] == b"\x03":
        return True
    return False if _is_http(answer) else None


async def _speaks_plaintext(host: str, port: int) -> bool:
    return _is_http(await _answer(host, port, _HTTP2_PREFACE))


async def _answer(host: str, port: int, greeting: bytes) -> bytes:
    """Returns how who listens begins its answer; nothing where it hangs up."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(greeting)
        return await reader.readexactly(_FRAME_HEADER)
    except asyncio.IncompleteReadError as error:
        return error.partial
    except ConnectionError:
        return b""
    finally:
        await _closed(writer)


def _is_http(answer: bytes) -> bool:
    # A server of HTTP/2 greets with its settings, one of HTTP/1 with text.
    return answer.startswith(b"HTTP/") or answer[3:4] == bytes([_SETTINGS])


async def _closed(writer: asyncio.StreamWriter) -> None:
    # Not closed in good order: in TLS that waits for who may never answer.
    writer.transport.abort()
    with suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
