"""`python -m collector_harness`: the same as the command `collector-harness`."""

import sys

from collector_harness.cli import main

if __name__ == "__main__":
    sys.exit(main())
