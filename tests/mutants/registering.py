"""Registries that each get one thing wrong."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from collector_reference.errors import AlreadyRegistered
from collector_reference.registry.memory import MemoryStore
from collector_reference.registry.service import RegistryService
from collector_reference.registry.store import extended_record, service_record


class Alphabetiser(RegistryService):
    """Brings order into the answer."""

    async def RegisterService(self, request, context):
        response = await super().RegisterService(request, context)
        response.registered_methods[:] = sorted(response.registered_methods)
        return response


class Overwriter(MemoryStore):
    """Refuses a duplicate too late."""

    async def add_service(self, record):
        try:
            await super().add_service(record)
        except AlreadyRegistered:
            self.declare(record)
            raise


class PrefixLister(MemoryStore):
    """Compares only as much of a name as it was given."""

    def services(self, namespace):
        records = super().services(None)
        return [record for record in records if record.namespace.startswith(namespace or "")]


class CensusTaker(RegistryService):
    """Writes down what it is asked about."""

    async def ValidateMethod(self, request, context):
        response = await super().ValidateMethod(request, context)
        if not response.is_valid and request.service_name and request.method_name:
            record = self._store.service(request.namespace, request.service_name)
            if record is None:
                descriptor = ServiceDescriptorProto(name=request.service_name)
                record = service_record(request.namespace, descriptor)
            self._store.declare(extended_record(record, [request.method_name]))
        return response
