"""Ordinary services beside the collectors: a stock over gRPC, and a gateway over HTTP before it."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from grpc_health.v1 import health, health_pb2_grpc


def stock() -> grpc.aio.Server:
    """A gRPC server that keeps what it sold in its database; its health service is all that it
    offers.
    """
    file = os.environ["DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(file) as database:
        database.execute("create table sold (sku text)")
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    return server


def gateway(port: int) -> None:
    """Answers HTTP until it is ended: with where the stock is, and the hub."""
    told = f"{os.environ['STOCK']} {os.environ['HUB']}".encode()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("127.0.0.1", port), Answers).serve_forever()
