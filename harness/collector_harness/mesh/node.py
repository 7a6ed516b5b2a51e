"""One node of a running mesh: where it is, how it is called, what it wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from collector_harness.client import NodeClient
from collector_harness.client.credentials import PLAINTEXT, ClientCredentials
from collector_harness.client.dialects import DialectName
from collector_harness.errors import InternalFault, InvalidInput, Problem, TargetFailed
from collector_harness.launchers.base import RunningNode
from collector_harness.launchers.process import ProcessNode
from collector_harness.peers.node import PeerNode
from collector_harness.topology.values import Node
from collector_reference import Collector, Statistics

__all__ = ["MeshNode"]


class MeshNode:
    """One node of a running mesh."""

    def __init__(
        self,
        node: Node,
        running: RunningNode,
        *,
        credentials: Callable[[], ClientCredentials] = lambda: PLAINTEXT,
        dialect: DialectName = "native",
    ) -> None:
        """`credentials` is how it is called, asked for once it runs."""
        self._credentials = credentials
        self.node = node
        """What it is in the topology."""
        self.running = running
        """What was launched."""
        self.dialect: DialectName = dialect
        """How it reads ConnectRequest."""
        self._client: NodeClient | None = None

    @property
    def name(self) -> str:
        """Its name in the topology."""
        return self.node.name

    @property
    def address(self) -> str:
        """Where it can be dialled; stays the same over restarts."""
        return self.running.address

    @property
    def access(self) -> ClientCredentials:
        """How it is called, once it runs."""
        return self._credentials()

    @property
    def url(self) -> str:
        """Where it is, with the scheme `grpc`, or `grpcs` where it speaks TLS."""
        return f"grpc{'s' if self.node.tls else ''}://{self.address}"

    def values(self) -> dict[str, object]:
        """Returns what paths such as `${node.NAME.address}` lead to."""
        host, _, port = self.address.rpartition(":")
        return {
            "name": self.name,
            "address": self.address,
            "host": host,
            "port": int(port) if port.isdigit() else None,
            "url": self.url,
            "namespaces": list(self.node.namespaces),
        }

    @property
    def database_url(self) -> str:
        """Raises `InvalidInput`: only services have databases that the harness knows."""
        raise InvalidInput(
            Problem(
                message=f"node '{self.name}' is a collector, and has no database",
                hint="name a service that has a `database`",
            )
        )

    @property
    def client(self) -> NodeClient:
        """Calls to it, for the loop of the mesh."""
        if self._client is None:
            raise InternalFault(f"node '{self.name}' has no address before the mesh is started")
        return self._client

    @property
    def collector(self) -> Collector | None:
        """The collector itself where it runs in this process, else None."""
        return self.running.collector

    @property
    def alive(self) -> bool:
        """Whether it runs, paused or not."""
        return self.running.alive

    @property
    def failure(self) -> TargetFailed | None:
        """Why it died, where nobody asked it to."""
        return self.running.failure

    def statistics(self) -> Statistics | None:
        """What its collector counted; None where it does not run in this process."""
        return self.collector.statistics() if self.collector is not None else None

    @property
    def calls(self) -> Sequence[Mapping[str, object]] | None:
        """What reached it, where it is a peer that the harness plays: of each call `rpc`,
        `request`, `metadata` and `deadline`.
        """
        return self.running.play.calls if isinstance(self.running, PeerNode) else None

    @property
    def own_connections(self) -> int | None:
        """How many connections to its own port it holds open; None where nobody can tell, which
        is of all but processes.
        """
        running = self.running
        return running.own_connections() if isinstance(running, ProcessNode) else None

    def logs(self) -> str:
        """What it wrote, escaped for a terminal; the last part of it where it is long."""
        return self.running.logs() if self.node.logs else ""

    def log_tail(self, count: int = 20) -> str:
        """The last lines that it wrote, escaped for a terminal."""
        return self.running.log_tail(count) if self.node.logs else ""

    @property
    def is_called(self) -> bool:
        """Whether the channel to it is open."""
        return self._client is not None

    def open_client(self) -> NodeClient:
        """Opens the channel to it, once its address is known."""
        if self._client is None:
            front = self.running.front
            address = self.running.address if front is None else front.private_address
            self._client = NodeClient(
                address,
                node=self.name,
                credentials=self._credentials(),
                protos=self.node.protos,
                dialect=self.dialect,
            )
        return self._client

    async def close_client(self) -> None:
        """Closes the channel to it."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
