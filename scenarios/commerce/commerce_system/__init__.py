"""A shop of three services: a REST gateway, users and orders, which call each other by gRPC.

It is a sample to copy from and a system for the harness to test. `gateway`, `users` and
`orders` are the services, `wire` is generated; `shared_system` is what it has in common with
the other samples.
"""

import sys
from pathlib import Path

# In a checkout `shared_system` lies beside the folder of this system.
sys.path.append(str(Path(__file__).resolve().parents[2]))
