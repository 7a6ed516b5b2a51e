"""nginx on this machine, by the configuration in `deploy/`: the same file, other addresses.

`python -m commerce_system.proxy --rest HOST:PORT` or `--grpc HOST:PORT` runs it. The program is
that of Debian's package nginx-light; without it nothing here works.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["configuration", "main", "nginx"]

TEMPLATE = Path(__file__).parent.parent / "deploy" / "nginx.conf"
_GATEWAYS = 3
_LACKS_NGINX = 3


def nginx() -> str | None:
    """Returns where the program is, or None where it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def configuration(
    folder: Path, *, gateways: Sequence[str], users: str, orders: str, rest: str, grpc: str
) -> str:
    """Returns the configuration with these addresses, and its files in a folder.

    Raises `ValueError` unless there are three gateways, users and orders.
    """
    if len(gateways) != _GATEWAYS:
        raise ValueError(f"GATEWAYS are {_GATEWAYS} addresses, not {len(gateways)}")
    if not (users and orders):
        raise ValueError("USER_SERVICE_URL and ORDER_SERVICE_URL are needed")
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


def main(words: Sequence[str] | None = None) -> int:
    """Runs nginx until it is told to end, and returns how that ended; 3 where it is not installed.
    Who is behind it is told by GATEWAYS, with commas, USER_SERVICE_URL and ORDER_SERVICE_URL.
    """
    parser = argparse.ArgumentParser(prog="python -m commerce_system.proxy", allow_abbrev=False)
    parser.add_argument("--rest", default="", help="host:port of REST, before the gateways")
    parser.add_argument("--grpc", default="", help="host:port of gRPC, before the services")
    given = parser.parse_args(words)
    program = nginx()
    if program is None:
        print("nginx is not installed: apt-get install nginx-light", file=sys.stderr)
        return _LACKS_NGINX
    with tempfile.TemporaryDirectory(prefix="nginx") as made:
        folder = Path(made)
        file = folder / "nginx.conf"
        try:
            text = configuration(
                folder,
                gateways=[at for at in os.environ.get("GATEWAYS", "").split(",") if at],
                users=os.environ.get("USER_SERVICE_URL", ""),
                orders=os.environ.get("ORDER_SERVICE_URL", ""),
                # What nobody asked for listens where nobody else is.
                rest=given.rest or f"unix:{folder / 'rest'}",
                grpc=given.grpc or f"unix:{folder / 'grpc'}",
            )
        except ValueError as error:
            parser.error(str(error))
        file.write_text(text)
        return _run([program, "-p", made, "-c", str(file), "-e", "stderr", "-g", "daemon off;"])


def _run(words: Sequence[str]) -> int:
    running = subprocess.Popen(words)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.terminate())
    return running.wait()


if __name__ == "__main__":
    sys.exit(main())
