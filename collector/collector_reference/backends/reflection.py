"""What an ordinary gRPC server tells of its services by reflection.

It is asked for one service, and for what that imports, in either version of reflection.
"""

from __future__ import annotations

import asyncio

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
    # A call for each question. In one call for all, a server that lacks this version may have
    # answered before the first question is written, and then gRPC tells INTERNAL, not
    # UNIMPLEMENTED. The messages of both versions are the same on the wire.
    ask = channel.unary_unary(
        f"/{version}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )

    async def files(**question: str) -> list[FileDescriptorProto]:
        answer = await ask(reflection_pb2.ServerReflectionRequest(**question))
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
    return FileDescriptorSet(file=found.values())
