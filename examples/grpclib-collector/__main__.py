"""Lets the folder run as it lies: `python examples/grpclib-collector`."""

import sys

from grpclib_collector.server import main

if __name__ == "__main__":
    sys.exit(main())
