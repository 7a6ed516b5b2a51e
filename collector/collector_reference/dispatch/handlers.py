"""The handlers of a collector: how they are registered, found and run.

Whether a call may reach a handler is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import traceback
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any as Anything
from typing import cast

import grpc.aio
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from collector_reference.dispatch.payloads import decoded, encoded, message_of
from collector_reference.dispatch.workers import Workers
from collector_reference.errors import (
    CollectorError,
    HandlerError,
    HandlerFailed,
    UnsupportedOutput,
)
from collector_reference.observability.correlation import Metadata, onward
from collector_reference.security.withholding import for_the_wire

__all__ = ["Handler", "HandlerContext", "HandlerTable", "RegisteredHandler", "implementation_of"]

_LOG = logging.getLogger(__name__)

# What Python raises by itself when code is wrong or the machine fails. Nobody wrote these texts
# for a caller, and they may name paths (SEC-004).
_CRASHES = (
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    ImportError,
    MemoryError,
    NameError,
    OSError,
    RecursionError,
    ReferenceError,
    SyntaxError,
    SystemError,
    TypeError,
)


class HandlerContext:
    """What a handler may know about the call that it serves."""

    __slots__ = (
        "_rpc",
        "collector_id",
        "execution_context",
        "method",
        "namespace",
        "service",
    )

    def __init__(
        self,
        collector_id: str,
        namespace: str,
        service: str,
        method: str,
        execution_context: Mapping[str, str],
        rpc: grpc.aio.ServicerContext[Anything, Anything],
    ) -> None:
        self.collector_id = collector_id
        """The id of the collector that executes."""
        self.namespace = namespace
        self.service = service
        self.method = method
        self.execution_context = execution_context
        """What came with the request; empty when it came through Dispatch."""
        self._rpc = rpc

    @property
    def full_method(self) -> str:
        """The method as `Service.Method`."""
        return f"{self.service}.{self.method}"

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The call's metadata, in order, keys possibly repeated; without credentials, which are
        for the port: over a hop they are those of the collector that forwards.
        """
        return tuple(
            (key, value)
            for key, value in self._rpc.invocation_metadata() or ()
            if key != "authorization"
        )

    @property
    def correlation(self) -> Metadata:
        """The headers by which calls that the handler makes belong to the same errand: to be given
        to them as their metadata. Where calls are traced, this one is the parent of theirs.
        """
        return onward(self._rpc.invocation_metadata() or ())

    @property
    def time_left(self) -> timedelta | None:
        """What remains until the caller's deadline; None without one (FLT-002)."""
        # The stubs leave out that a call may have no deadline.
        seconds = cast("float | None", self._rpc.time_remaining())
        return None if seconds is None else timedelta(seconds=seconds)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more. An async handler is cancelled too; a
        plain one should look here when it takes long.
        """
        return bool(self._rpc.cancelled())


Handler = Callable[[Anything, HandlerContext], Anything]
"""`(input, context) -> output`, plain or async. See `payloads` for inputs and outputs.

An input that is annotated with a class of protobuf messages arrives as such a message.
"""


@dataclass(slots=True)
class RegisteredHandler:
    """A handler in the table."""

    function: Handler
    is_async: bool
    decode: bool
    """Whether inputs of well-known types become Python values."""
    takes: type[Message] | None = None
    """The message that its input is annotated with."""
    runs: int = 0
    """How often it was run."""
    made_by: type | None = None
    """The class of its implementation, for one that the table made itself."""
    attribute: str = ""
    """The implementation's method, where there is an implementation."""


class HandlerTable:
    """Handlers by namespace, service and method, each kept apart (SRV-010, SRV-011, ISO-001)."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._handlers: dict[tuple[str, str, str], RegisteredHandler] = {}
        self._namespaces: set[str] = set()

    def add(
        self, namespace: str, service: str, method: str, function: Handler, *, decode: bool
    ) -> None:
        """Adds a handler, in place of the one that is there.

        Raises `TypeError` for one that cannot be called with an input and a context.
        """
        _check_signature(function, f"{namespace}/{service}/{method}")
        self._put((namespace, service, method), _registered(function, decode=decode))

    def add_implementation(self, namespace: str, implementation: object) -> tuple[str, list[str]]:
        """Adds every public method of a class or an object; returns the service and the methods.

        A class is instantiated here, and anew on `restore`. The service is called as its
        `service_name` says, else as the class. Raises `TypeError` when it has no public method.
        """
        service, names = implementation_of(implementation)
        made_by = implementation if isinstance(implementation, type) else None
        instance = made_by() if made_by else implementation
        for name in names:
            function = getattr(instance, name)
            _check_signature(function, f"{namespace}/{service}/{name}")
            registered = _registered(function, decode=True)
            registered.made_by = made_by
            registered.attribute = name
            self._put((namespace, service, name), registered)
        return service, names

    def _put(self, key: tuple[str, str, str], handler: RegisteredHandler) -> None:
        self._handlers[key] = handler
        self._namespaces.add(key[0])

    def find(self, namespace: str, service: str, method: str) -> RegisteredHandler | None:
        """Returns the handler, or None."""
        return self._handlers.get((namespace, service, method))

    def has_namespace(self, namespace: str) -> bool:
        """Whether the namespace has any handler."""
        return namespace in self._namespaces

    def runs(self) -> dict[tuple[str, str, str], int]:
        """Returns how often each handler ran, by namespace, service and method."""
        return {key: handler.runs for key, handler in self._handlers.items()}

    def executions(self) -> dict[str, int]:
        """Returns how often each handler ran that did, by `namespace/service/method`."""
        return {
            "/".join(key): handler.runs for key, handler in self._handlers.items() if handler.runs
        }

    def checkpoint(self) -> Mapping[tuple[str, str, str], RegisteredHandler]:
        """Returns the present handlers, as a value that `restore` takes."""
        return {key: replace(handler) for key, handler in self._handlers.items()}

    def restore(self, checkpoint: Mapping[tuple[str, str, str], RegisteredHandler]) -> None:
        """Puts those handlers in the place of the present ones; implementations are made anew.

        Methods of one class in one namespace and service share one new instance.
        """
        instances: dict[tuple[str, str, type], object] = {}
        self._handlers = {}
        self._namespaces = set()
        for key, handler in checkpoint.items():
            copy = replace(handler)
            if copy.made_by is not None:
                owner = (key[0], key[1], copy.made_by)
                if owner not in instances:
                    instances[owner] = copy.made_by()
                copy.function = getattr(instances[owner], copy.attribute)
            self._put(key, copy)

    async def run(
        self, handler: RegisteredHandler, payload: Any | None, context: HandlerContext
    ) -> tuple[Any | None, str | HandlerFailed | None]:
        """Returns the output and None, or None and what went wrong, for the caller to read.

        Only the cancellation of the call itself gets out as an exception (SRV-007, SRV-008).
        """
        value: object = payload
        if handler.takes is not None:
            try:
                value = message_of(payload, handler.takes, taker=context.full_method)
            except HandlerFailed as error:
                return None, error
        elif payload is not None and handler.decode:
            value = decoded(payload)
        handler.runs += 1
        try:
            if handler.is_async:
                output = await handler.function(value, context)
            else:
                output = await self._workers.run(handler.function, value, context)
                if inspect.isawaitable(output):
                    output = await output
            return encoded(output), None
        except UnsupportedOutput as error:
            return None, str(error)
        except HandlerFailed as error:
            return None, error
        except BaseException as error:  # no handler may end the server
            if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                raise
            return None, _failure(error, context)


def implementation_of(implementation: object) -> tuple[str, list[str]]:
    """Returns the service name and the public methods of a class or an object.

    Raises `TypeError` when it has none.
    """
    kind = implementation if isinstance(implementation, type) else type(implementation)
    service = getattr(implementation, "service_name", None) or kind.__name__
    names = [
        name
        for name, member in inspect.getmembers_static(implementation)
        if not name.startswith("_")
        and (isinstance(member, (staticmethod, classmethod)) or inspect.isroutine(member))
    ]
    if not names:
        raise TypeError(f"{kind.__name__} has no public method to serve")
    return str(service), names


def _registered(function: Handler, *, decode: bool) -> RegisteredHandler:
    call = getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
    takes = _annotated_input(function) if decode else None
    return RegisteredHandler(function=function, is_async=is_async, decode=decode, takes=takes)


def _annotated_input(function: Handler) -> type[Message] | None:
    """Returns the class of messages that a handler's input is annotated with, if it is.

    Of the other annotations nothing is looked at: what they name may be there for checkers only.
    """
    try:
        inputs = list(inspect.signature(function).parameters.values())
    except ValueError:  # some built-in callables have none
        return None
    annotation = inputs[0].annotation if inputs else None
    if isinstance(annotation, str):
        owner = function if inspect.isroutine(function) else type(function).__call__
        names = getattr(inspect.unwrap(owner), "__globals__", {})
        only = types.SimpleNamespace(__annotations__={"input": annotation})
        try:
            annotation = typing.get_type_hints(only, globalns=names)["input"]
        except Exception:  # noqa: BLE001 - an annotation is anybody's text
            return None
    is_message = isinstance(annotation, type) and issubclass(annotation, Message)
    return annotation if is_message and annotation is not Any else None


def _check_signature(function: Handler, name: str) -> None:
    if not callable(function):
        raise TypeError(f"the handler of {name} cannot be called")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some built-in callables have none
        return
    placeholders: Sequence[object] = (None, None)
    try:
        signature.bind(*placeholders)
    except TypeError as error:
        raise TypeError(
            f"the handler of {name} must take (input, context), but takes {signature}"
        ) from error


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failure(error: BaseException, context: HandlerContext) -> str:
    deliberate = isinstance(error, HandlerError) or (
        isinstance(error, Exception)
        and not isinstance(error, (*_CRASHES, CollectorError))
        # Python puts a RuntimeError of its own in the place of these.
        and not isinstance(error.__cause__, (StopIteration, StopAsyncIteration))
    )
    if deliberate:
        text = str(error) or type(error).__name__
        if not isinstance(error, HandlerError):
            # Its author may not have meant it: where it came from is for the log, not for callers.
            told = "".join(traceback.format_exception(error))
            _LOG.warning(
                "the handler of %s/%s/%s failed\n%s",
                context.namespace,
                context.service,
                context.method,
                # A text of half a character could be written nowhere.
                told.encode("utf-8", "backslashreplace").decode("utf-8").rstrip(),
            )
            text = for_the_wire(text)
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    _LOG.error(
        "the handler of %s/%s/%s crashed",
        context.namespace,
        context.service,
        context.method,
        exc_info=error,
    )
    return "internal error"
