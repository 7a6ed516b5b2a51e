"""Two services: auth knows who somebody is, user asks it and keeps what people tell of themselves.

`auth` is synchronous (gRPC in threads), `user` runs on an event loop (FastAPI and gRPC);
`security` has the interceptors and the loading of certificates, `wire` is generated.
`shared_system` is what it has in common with the other samples.
"""

import sys
from pathlib import Path

# In a checkout `shared_system` lies beside the folder of this system.
sys.path.append(str(Path(__file__).resolve().parents[2]))
