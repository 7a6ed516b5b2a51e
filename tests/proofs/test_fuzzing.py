"""A collector stands what nobody should send it; and what fuzzing once found stays mended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import grpc
import grpc.aio
import pytest

from collector_reference import Collector, CollectorSettings

ROOT = Path(__file__).parents[2]
REGISTRY = "/collector.CollectorRegistry/"


def test_a_collector_lives_answers_and_stays_small_whatever_it_is_sent() -> None:
    """A few rounds; `make fuzz` goes on for as long as it is told."""
    ended = subprocess.run(
        [sys.executable, ROOT / "scripts/fuzz.py", "--seconds", "4", "--seed", "20260101"],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr[-4000:]
    assert "after the warm-up: " in ended.stdout
    assert "Traceback" not in ended.stderr, ended.stderr[-4000:]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        pytest.param("RegisterService", b"\n\x04fuzz\x12\x04\n\x02\xff\xfe", id="service"),
        pytest.param(
            "RegisterService", b"\n\x01n\x12\x09\n\x01S\x12\x04\n\x02\xff\xfe", id="method"
        ),
        pytest.param("RegisterProto", b"\n\x01n\x12\x04\n\x02\xff\xfe", id="file"),
        pytest.param(
            "RegisterProto", b"\n\x01n\x12\x09\n\x01f\x22\x04\n\x02\xff\xfe", id="message"
        ),
    ],
)
def test_a_name_that_is_not_utf8_is_the_caller_s_fault(method: str, message: bytes) -> None:
    """Strings of descriptors are not checked by protobuf until somebody reads them."""

    async def register() -> tuple[object, str | None]:
        async with Collector(CollectorSettings(collector_id="hub")) as collector:
            async with grpc.aio.insecure_channel(collector.address) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await channel.unary_unary(REGISTRY + method)(message, timeout=10)
                return raised.value.code(), raised.value.details()

    code, details = asyncio.run(register())
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details == "a name in the descriptor is not UTF-8"
