"""nginx on this machine, by the configuration in `deploy/`: the same file, other addresses.

`nginx` itself is Debian's package; without it nothing here works.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Proxied", "configuration", "proxy"]

TEMPLATE = Path(__file__).parent.parent / "deploy" / "nginx.conf"
_STARTED_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Proxied:
    """Where the proxy listens, as `host:port`."""

    rest: str
    grpc: str


def configuration(
    folder: Path, *, gateways: Sequence[str], users: str, orders: str, rest: str, grpc: str
) -> str:
    """Returns the configuration with these addresses, and its files in a folder.

    `gateways` are three.
    """
    text = TEMPLATE.read_text()
    places = {f"api-gateway-{number}:3000": at for number, at in enumerate(gateways, 1)}
    places |= {
        "user-service:50051": users,
        "order-service:50052": orders,
        "0.0.0.0:8080": rest,
        "0.0.0.0:8081": grpc,
        "/tmp/nginx": str(folder / "nginx"),  # noqa: S108 - it is taken out
    }
    return re.sub("|".join(map(re.escape, places)), lambda found: places[found.group()], text)


@contextmanager
def proxy(folder: Path, *, gateways: Sequence[str], users: str, orders: str) -> Iterator[Proxied]:
    """Runs nginx while the block runs, on free ports. Raises `FileNotFoundError` without nginx
    and `ChildProcessError` with its words when it does not start.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise FileNotFoundError("nginx is not installed: apt-get install nginx-light")
    # nginx binds for itself: the ports are held until the moment before.
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    rest, grpc = (f"127.0.0.1:{each.getsockname()[1]}" for each in held)
    file = folder / "nginx.conf"
    file.write_text(
        configuration(folder, gateways=gateways, users=users, orders=orders, rest=rest, grpc=grpc)
    )
    for each in held:
        each.close()
    words = [program, "-p", str(folder), "-c", str(file), "-e", "stderr"]
    # It goes to the background once it listens: this returns when it is ready, or why it is not.
    log = folder / "nginx.log"
    with log.open("wb") as told:
        started = subprocess.run(
            words, stdout=told, stderr=told, timeout=_STARTED_SECONDS, check=False
        )
    if started.returncode:
        raise ChildProcessError(f"nginx did not start: {log.read_text()}")
    try:
        yield Proxied(rest=rest, grpc=grpc)
    finally:
        subprocess.run(
            [*words, "-s", "stop"], capture_output=True, timeout=_STARTED_SECONDS, check=False
        )
