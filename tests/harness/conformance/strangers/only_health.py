"""Keeps the launch contract, and is no collector: it serves nothing but its health."""

from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2_grpc

server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"collector listening on 127.0.0.1:{port}", flush=True)
server.wait_for_termination()
