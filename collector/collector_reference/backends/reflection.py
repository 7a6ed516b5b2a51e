"""What an ordinary gRPC server tells of its services by reflection.

It is asked for one service, and for what that imports, in either version of reflection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]

from collector_reference.descriptors import REFLECTION, REFLECTION_ALPHA
from collector_reference.errors import BackendUnusable

__all__ = ["files_of"]

_MAX_FILES = 1_000


async def files_of(
    channel: grpc.aio.Channel, service: str, *, address: str, seconds: float
) -> FileDescriptorSet:
    """Returns the file of a service and all that it imports.

    Raises `BackendUnusable` when the server does not tell within `seconds`.
    """
    for version in (REFLECTION, REFLECTION_ALPHA):
        try:
            async with asyncio.timeout(seconds):
                return await _ask(channel, version, service, address)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED and version is REFLECTION:
                continue
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                break
            raise BackendUnusable(
                service, address, f"it cannot be asked: {error.code().name}: {error.details()}"
            ) from error
        except TimeoutError as error:
            raise BackendUnusable(service, address, f"no answer in {seconds:g} s") from error
    raise BackendUnusable(
        service, address, "it serves no reflection: switch that on there, or give a descriptor set"
    )


async def _ask(
    channel: grpc.aio.Channel, version: str, service: str, address: str
) -> FileDescriptorSet:
    questions: asyncio.Queue[object] = asyncio.Queue()

    async def asked() -> AsyncIterator[object]:
        while (question := await questions.get()) is not None:
            yield question

    # The messages of both versions are the same on the wire.
    call = channel.stream_stream(
        f"/{version}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )(asked())
    answers = aiter(call)

    async def files(**question: str) -> list[FileDescriptorProto]:
        questions.put_nowait(reflection_pb2.ServerReflectionRequest(**question))
        answer = await anext(answers, None)
        if answer is None:
            raise BackendUnusable(service, address, "its reflection ended without an answer")
        if answer.HasField("error_response"):
            raise BackendUnusable(
                service,
                address,
                f"its reflection knows no {next(iter(question.values()))!r}: "
                f"{answer.error_response.error_message}",
            )
        return [
            FileDescriptorProto.FromString(data)
            for data in answer.file_descriptor_response.file_descriptor_proto
        ]

    try:
        found = {file.name: file for file in await files(file_containing_symbol=service)}
        # Some servers send what is imported along, some do not.
        while missing := [
            name for file in found.values() for name in file.dependency if name not in found
        ]:
            if len(found) > _MAX_FILES:
                raise BackendUnusable(service, address, f"it imports over {_MAX_FILES} files")
            for file in await files(file_by_filename=missing[0]):
                found[file.name] = file
            if missing[0] not in found:
                raise BackendUnusable(
                    service, address, f"its reflection gave another file than '{missing[0]}'"
                )
    finally:
        questions.put_nowait(None)
        call.cancel()
    return FileDescriptorSet(file=found.values())
