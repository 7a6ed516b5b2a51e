# ruff: noqa: ASYNC109 - a deadline goes over the wire; asyncio.timeout does not
"""What a node tells about its own services by server reflection, v1 or v1alpha.

Servers differ in how much they tell: some send a file without the files that it
imports, and some have lost them. What is missing is asked for by name, and else
replaced by raw bytes, so that the rest can still be used.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import grpc
import grpc.aio
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha.reflection_pb2 import (  # type: ignore[import-untyped]
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from collector_harness.client.pools import TypePool, known_types
from collector_harness.client.reply import Metadata

__all__ = ["Reflection", "Unanswered"]

_PATHS = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
_MOST_FILES = 1000
_TIMEOUT = 10.0
_NOBODY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Unanswered(Exception):
    """Nobody answers at all: what is said of a call that was to be made is said of that."""

    def __init__(self, status: grpc.StatusCode, message: str, seconds: float) -> None:
        super().__init__(message)
        self.status = status
        """UNAVAILABLE or DEADLINE_EXCEEDED."""
        self.message = message
        """What gRPC says of it."""
        self.seconds = seconds
        """How long it was waited for."""


class Reflection:
    """The services of one node, read when they are first asked for."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        metadata: Metadata = (),
        types: TypePool | None = None,
    ) -> None:
        """`types` is the node's own pool, where it has one already."""
        self._channel = channel
        self._metadata = metadata
        self._path: str | None = None
        self._lock = asyncio.Lock()
        self.types = TypePool() if types is None else types
        """All that was read so far; the node's own pool."""
        self.refused = ""
        """The status by which the node last refused to tell anything; empty where it did not."""

    async def find(self, service: str, *, timeout: float = _TIMEOUT) -> bool:
        """Reads the service into `types`; returns whether the node told of it. `timeout` is for
        each question. Raises `Unanswered` where nobody answers.
        """
        async with self._lock:
            if self.types.methods(service) is not None:
                return True
            asked = ServerReflectionRequest(file_containing_symbol=service)
            answer = await self._ask(asked, timeout)
            files: dict[str, FileDescriptorProto] = {}
            _collect(answer, files)
            wanted = [name for file in files.values() for name in file.dependency]
            while wanted and len(files) < _MOST_FILES:
                name = wanted.pop()
                if name in files or self.types.has_file(name):
                    continue
                before = set(files)
                _collect(await self._ask(ServerReflectionRequest(file_by_filename=name)), files)
                for found in files.keys() - before:
                    wanted += files[found].dependency
            for file in _in_order(files):
                self._add(file)
            return self.types.methods(service) is not None

    async def services(self) -> tuple[str, ...]:
        """Returns the names of all services; none where the node offers no reflection. Raises
        `Unanswered` where nobody answers.
        """
        answer = await self._ask(ServerReflectionRequest(list_services=""))
        if answer is None:
            return ()
        return tuple(service.name for service in answer.list_services_response.service)

    def _add(self, file: FileDescriptorProto) -> None:
        if known_types().has_file(file.name) and not self.types.has_file(file.name):
            # The contract's own files are looked up elsewhere, but others import them.
            known = FileDescriptorProto()
            known_types().descriptors.FindFileByName(file.name).CopyToProto(known)
            file = known
        missing = [name for name in file.dependency if not self.types.has_file(name)]
        if missing:
            file = _without(file, missing, self.types)
        try:
            self.types.add(file)
        except (TypeError, KeyError, ValueError, DecodeError):
            # A file that no pool takes is as good as one that was never told.
            return

    async def _ask(
        self, request: ServerReflectionRequest, timeout: float = _TIMEOUT
    ) -> ServerReflectionResponse | None:
        begin = time.perf_counter()
        for path in (self._path,) if self._path else _PATHS:
            method: grpc.aio.StreamStreamMultiCallable[ServerReflectionRequest, bytes]
            method = self._channel.stream_stream(
                path, request_serializer=ServerReflectionRequest.SerializeToString
            )
            call = method(_only(request), timeout=timeout, metadata=self._metadata)
            try:
                async for body in call:
                    self._path = path
                    return ServerReflectionResponse.FromString(body)
            except grpc.aio.AioRpcError as error:
                if error.code() in _NOBODY:
                    waited = time.perf_counter() - begin
                    raise Unanswered(error.code(), error.details() or "", waited) from error
                self.refused = error.code().name
            except DecodeError:
                continue
            finally:
                call.cancel()
        return None


async def _only(request: ServerReflectionRequest) -> AsyncIterator[ServerReflectionRequest]:
    yield request


def _collect(
    answer: ServerReflectionResponse | None, files: dict[str, FileDescriptorProto]
) -> None:
    if answer is None:
        return
    for serialized in answer.file_descriptor_response.file_descriptor_proto:
        try:
            file = FileDescriptorProto.FromString(serialized)
        except DecodeError:
            continue
        files.setdefault(file.name, file)


def _in_order(files: dict[str, FileDescriptorProto]) -> list[FileDescriptorProto]:
    """Returns the files so that each comes after those it imports, as far as that can be."""
    done: dict[str, FileDescriptorProto] = {}
    begun: set[str] = set()
    stack = list(files)
    while stack:
        name = stack[-1]
        file = files[name]
        waiting = [each for each in file.dependency if each in files and each not in begun]
        begun.add(name)
        if waiting:
            stack += waiting
        else:
            done.setdefault(stack.pop(), file)
    return list(done.values())


def _without(file: FileDescriptorProto, missing: list[str], types: TypePool) -> FileDescriptorProto:
    """Returns the file without the imports that are missing: fields of unknown message types
    become bytes, which they are on the wire; methods of such types are left out.
    """
    reduced = FileDescriptorProto()
    reduced.CopyFrom(file)
    kept = [name for name in file.dependency if name not in missing]
    del reduced.dependency[:]
    reduced.dependency.extend(kept)
    del reduced.public_dependency[:]
    del reduced.weak_dependency[:]
    prefix = f".{file.package}." if file.package else "."
    own = {name for each in file.message_type for name in _names(each, prefix)}
    own |= {prefix + each.name for each in file.enum_type}

    def known(type_name: str) -> bool:
        return type_name in own or types.has_type(type_name.removeprefix("."))

    for message in reduced.message_type:
        _replace_unknown(message, known)
    del reduced.extension[:]
    for service in reduced.service:
        usable = [
            method
            for method in service.method
            if known(method.input_type) and known(method.output_type)
        ]
        del service.method[:]
        service.method.extend(usable)
    return reduced


def _names(message: DescriptorProto, prefix: str) -> list[str]:
    """Returns the full names of a message, and of the messages and enums inside it."""
    name = prefix + message.name
    return [
        name,
        *(f"{name}.{each.name}" for each in message.enum_type),
        *(inner for each in message.nested_type for inner in _names(each, f"{name}.")),
    ]


def _replace_unknown(message: DescriptorProto, known: Callable[[str], bool]) -> None:
    for field in message.field:
        if field.type_name and not known(field.type_name):
            is_enum = field.type == FieldDescriptorProto.TYPE_ENUM
            field.type = (
                FieldDescriptorProto.TYPE_INT32 if is_enum else FieldDescriptorProto.TYPE_BYTES
            )
            field.ClearField("type_name")
    for inner in message.nested_type:
        _replace_unknown(inner, known)
