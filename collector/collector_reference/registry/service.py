"""The RPCs of `collector.CollectorRegistry`: writes fail as gRPC errors, reads answer in-band.

What a record is and where it is kept is not decided here.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
import grpc.aio

from collector_reference.errors import AlreadyRegistered, InvalidRecord, StoreUnavailable
from collector_reference.registry.store import RegistryStore, proto_record, service_record
from collector_reference.security.withholding import fitting
from collector_reference.wire import registry_pb2_grpc
from collector_reference.wire.common_pb2 import Status
from collector_reference.wire.registry_pb2 import (
    ListServicesRequest,
    ListServicesResponse,
    LookupServiceRequest,
    LookupServiceResponse,
    RegisterProtoRequest,
    RegisterProtoResponse,
    RegisterServiceRequest,
    RegisterServiceResponse,
    ValidateMethodRequest,
    ValidateMethodResponse,
)

__all__ = ["RegistryService"]

_LOG = logging.getLogger(__name__)
_OK = Status(code=Status.OK, message="OK")

_STATUS_BYTES = 1024
"""What a list's status and envelope may take."""
_FIELD_BYTES = 6
"""The tag and the length in front of a record."""
_BETWEEN_BREATHS = 500
"""Records of a list after which other calls get a turn."""

Context = grpc.aio.ServicerContext[Any, Any]
Request = TypeVar("Request")
Response = TypeVar("Response")


def _translated(
    rpc: Callable[[Any, Request, Context], Awaitable[Response]],
) -> Callable[[Any, Request, Context], Awaitable[Response]]:
    """Turns what a store raises into a gRPC error; a broken store's own text stays in the log."""

    @functools.wraps(rpc)
    async def answer(self: RegistryService, request: Request, context: Context) -> Response:
        try:
            return await rpc(self, request, context)
        except InvalidRecord as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, fitting(str(error)))
        except AlreadyRegistered as error:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, fitting(str(error)))
        except StoreUnavailable as error:
            _LOG.warning("the registry's store is unavailable in %s: %s", rpc.__name__, error)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the registry's store is unavailable")
        except grpc.aio.AbortError:
            raise
        except Exception:  # noqa: BLE001 - a store is anybody's code
            _LOG.exception("the registry's store failed in %s", rpc.__name__)
            await context.abort(grpc.StatusCode.INTERNAL, "the registry's store failed")

    return answer


class RegistryService(registry_pb2_grpc.CollectorRegistryServicer):
    """Serves a store. Nobody but the collector itself writes into its system namespace."""

    def __init__(
        self,
        store: RegistryStore,
        *,
        system_namespace: str,
        max_message_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        """`max_message_bytes` bounds a list."""
        self._store = store
        self._system_namespace = system_namespace
        self._max_list_bytes = max_message_bytes - _STATUS_BYTES

    @_translated
    async def RegisterProto(  # noqa: N802 - the RPC's name
        self, request: RegisterProtoRequest, context: Context
    ) -> RegisterProtoResponse:
        """Stores a file of message types (REG-002, REG-007)."""
        if request.namespace and not request.HasField("file_descriptor"):
            raise InvalidRecord("file_descriptor is required")
        record = proto_record(request.namespace, request.file_descriptor, request.dependencies)
        await self._authorise(request.namespace, context)
        await self._store.add_proto(record)
        return RegisterProtoResponse(
            status=_OK,
            proto_id=record.message.id,
            registered_messages=record.message.message_names,
        )

    @_translated
    async def RegisterService(  # noqa: N802
        self, request: RegisterServiceRequest, context: Context
    ) -> RegisterServiceResponse:
        """Stores a service (REG-001 to REG-006)."""
        if request.namespace and not request.HasField("service_descriptor"):
            raise InvalidRecord("service_descriptor is required")
        record = service_record(request.namespace, request.service_descriptor)
        await self._authorise(request.namespace, context)
        await self._store.add_service(record)
        return RegisterServiceResponse(
            status=_OK,
            service_id=record.message.id,
            registered_methods=record.message.method_names,
        )

    @_translated
    async def LookupService(  # noqa: N802
        self, request: LookupServiceRequest, _context: Context
    ) -> LookupServiceResponse:
        """Finds one service (REG-005, REG-008)."""
        record = self._store.service(request.namespace, request.service_name)
        if record is None:
            return LookupServiceResponse(
                status=Status(
                    code=Status.NOT_FOUND,
                    message=f"service '{request.namespace}/{request.service_name}' not found",
                )
            )
        return LookupServiceResponse(status=_OK, service=record.message)

    @_translated
    async def ValidateMethod(  # noqa: N802
        self, request: ValidateMethodRequest, _context: Context
    ) -> ValidateMethodResponse:
        """Tells whether a method is registered, and changes nothing (VAL-001 to 003, VAL-009)."""
        namespace, service, method = request.namespace, request.service_name, request.method_name
        if self._store.has_method(namespace, service, method):
            return ValidateMethodResponse(
                status=_OK,
                is_valid=True,
                message=f"method '{service}.{method}' is registered in namespace '{namespace}'",
            )
        if self._store.service(namespace, service) is None:
            missing = f"service '{service}' is not registered in namespace '{namespace}'"
        else:
            missing = f"service '{service}' in namespace '{namespace}' has no method '{method}'"
        return ValidateMethodResponse(
            status=Status(code=Status.NOT_FOUND, message=missing), message=missing
        )

    @_translated
    async def ListServices(  # noqa: N802
        self, request: ListServicesRequest, _context: Context
    ) -> ListServicesResponse:
        """Lists the services of one namespace, or of all (REG-010).

        A list that would be larger than the message limit is cut, and tells how many it leaves
        out (REG-011, REG-012).
        """
        records = self._store.services(request.namespace or None)
        response = ListServicesResponse(status=_OK)
        room = self._max_list_bytes
        for record in records:
            size = record.message.ByteSize() + _FIELD_BYTES
            if size > self._max_list_bytes:
                # It fits into no list, and must not keep those behind it out of this one.
                continue
            if size > room:
                break
            room -= size
            response.services.append(record.message)
            if len(response.services) % _BETWEEN_BREATHS == 0:
                await asyncio.sleep(0)
        left_out = len(records) - len(response.services)
        if left_out > 0:
            response.status.details["truncated"] = str(left_out)
        return response

    async def _authorise(self, namespace: str, context: Context) -> None:
        if namespace == self._system_namespace:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                f"namespace '{namespace}' holds this collector's own services",
            )
