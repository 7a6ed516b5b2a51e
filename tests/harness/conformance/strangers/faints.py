"""A collector that dies of the first call that it is to serve."""

import os
import sys

from collector_reference import server
from collector_reference.__main__ import main


class Fainting(server.DispatcherService):
    async def Serve(self, request, context):
        print("oh dear", file=sys.stderr, flush=True)
        os._exit(3)


server.DispatcherService = Fainting
sys.exit(main())
