"""Services to start: small Python programs, and meshes that have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest

from collector_harness.mesh import Mesh
from collector_harness.runtime import Runtime
from collector_harness.topology import parse_topology

PROGRAM = '''
import grpc, os, sys, time

def bare():
    """A gRPC server that echoes the bytes of shop.Catalogue/Get, and has no health service."""
    print("serving on", os.environ["PORT"], flush=True)
    async def echo(request, context):
        return request
    server = grpc.aio.server()
    methods = {"Get": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("shop.Catalogue", methods),)
    )
    return server

def not_serving():
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    from concurrent.futures import ThreadPoolExecutor
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return server

def told(port):
    """Writes what it was told, and listens."""
    import socket
    for name in sorted(os.environ):
        if name.startswith(("TOLD_", "DATABASE_", "TLS_")):
            print(name + "=" + os.environ[name], flush=True)
    listener = socket.create_server(("127.0.0.1", port))
    print("told everything", flush=True)
    while True:
        listener.accept()[0].close()

def dies(port):
    print("about to die", file=sys.stderr, flush=True)
    sys.exit(3)

def garbage(port):
    sys.stdout.buffer.write(b"\\x1b[2J\\xff\\x00" + b"x" * 100_000 + b"\\nnow ready\\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)

def deaf(port):
    print("not listening to", port, flush=True)
    while True:
        time.sleep(60)

nothing = 7
'''


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a program of services, `app.py`."""
    (tmp_path / "app.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture
def mesh_of(folder: Path, runtime: Runtime) -> Iterator[Callable[[str], Mesh]]:
    """Makes meshes with these services, and stops them at the end."""
    made: list[Mesh] = []

    def make(services: str, *, nodes: str = "{hub: }") -> Mesh:
        path = folder / f"topology{len(made)}.yaml"
        path.write_text(f"nodes: {nodes}\nservices:\n{indent(dedent(services), '  ')}")
        made.append(Mesh(parse_topology(path)))
        return made[-1]

    yield make
    for mesh in made:
        runtime.run(mesh.stop())
