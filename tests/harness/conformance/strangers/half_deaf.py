"""A collector whose health service is missing, and which lost one of the eight RPCs."""

import sys

import grpc

from collector_reference import server
from collector_reference.__main__ import main


class DeafRegistry(server.RegistryService):
    async def ListServices(self, request, context):
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "what is a list?")


class NoHealth(server.Health):
    def add_to(self, server):
        pass


server.RegistryService = DeafRegistry
server.Health = NoHealth
sys.exit(main())
