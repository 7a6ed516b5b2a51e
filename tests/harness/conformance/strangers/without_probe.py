"""A collector that meets every requirement and carries no probe service."""

import os
import sys

from collector_reference.__main__ import main

os.environ.pop("COLLECTOR_PROBE", None)
sys.exit(main())
