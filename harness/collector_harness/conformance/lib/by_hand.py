"""A library check as one line of a shell, so that its breach is seen without the harness: Python
with the collector, grpcio and the contract's messages, and nothing else. Pure.
"""

from __future__ import annotations

from collector_harness.targets import PythonTarget, Target

__all__ = ["python_line"]

_AROUND = """\
import asyncio, importlib, logging, operator
from datetime import timedelta
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import StringValue
from grpc.aio import insecure_channel
from collector_reference import CallLog, CollectorSettings, NotRegistered
from collector_reference.wire.dispatcher_pb2 import ServeRequest
from collector_reference.wire.dispatcher_pb2_grpc import CollectiveDispatcherStub
make = operator.attrgetter("{factory}")(importlib.import_module("{module}"))
broken = []
def show(what, seen, right):
    print(f"{{what}}: {{seen}}, and has to be {{right}}")
    broken.append(seen != right)
class Refusing:
    async def validate_service_method(self, *names, time_left=None):
        raise NotRegistered("/".join(names))
async def main():
    collector = make(CollectorSettings(collector_id="hub", namespaces=("shop",), probe=("shop",), {settings}))
    collector = await collector if asyncio.iscoroutine(collector) else collector
    await collector.start()
    async with insecure_channel(collector.address) as channel:
        stub = CollectiveDispatcherStub(channel)
        def serve(method, input=None, **more):
            service = dict(namespace="shop", service_name="conformance.Probe")
            request = ServeRequest(namespace="shop", service=service, method_name=method, input=input)
            return stub.Serve(request, **more)
{body}
    await collector.kill()
asyncio.run(main())
raise SystemExit(any(broken))
"""  # noqa: E501 - it is read by nobody before it is run, and stays one statement a line


def python_line(target: Target, body: str, *, settings: str = "") -> str:
    """Returns the line, for bash, zsh and ksh: `python -c $'...'`, which ends with 1 where it shows
    the breach.

    `body` are statements with `collector`, `serve` and `show` in their scope; `settings` are
    further ones of `CollectorSettings`, as a call has them.
    """
    module, factory = "collector_reference", "Collector"
    if isinstance(target, PythonTarget):
        module, factory = target.module, target.factory
    program = _AROUND.format(
        module=module,
        factory=factory,
        settings=settings,
        body="\n".join(f"        {line}" for line in body.strip().splitlines()),
    )
    quoted = program.strip().replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"python -c $'{quoted}'"
