"""One direction of the bytes through a door, and what can disturb it.

A flow knows no sockets but through the streams that run in it: one per connection. Connections
as a whole (refused, limited, half open) are the door's, in `link_proxy`.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

__all__ = [
    "Bandwidth",
    "Corruption",
    "Disturbance",
    "Flow",
    "Latency",
    "Loss",
    "Standstill",
    "Stream",
]

_MOST_QUEUED = 256 * 1024
"""Bytes of a connection that wait here before its sender has to wait too."""
_PIECES_PER_SECOND = 50
"""How finely a narrow flow is dealt out."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Standstill:
    """Bytes wait, and go on afterwards."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Loss:
    """Bytes vanish; what lost some is reset afterwards."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Latency:
    """Bytes arrive later, and in order."""

    delay: timedelta
    jitter: timedelta = timedelta()
    """How much shorter or longer it may be, at random."""


@dataclass(kw_only=True, slots=True, eq=False)
class Bandwidth:
    """All connections together carry no more than this, in all flows that it is added to."""

    bytes_per_second: int
    free_at: float = 0.0
    """When the last byte that was let through has passed, in the time of the loop."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Corruption:
    """One byte is changed in this part of the packets; what carried one is reset afterwards."""

    probability: float


Disturbance = Standstill | Loss | Latency | Bandwidth | Corruption
"""What can disturb a flow. Each is itself alone: two that are alike are still two."""


class Flow:
    """One direction through a door, with the disturbances that are in force."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._disturbances: list[Disturbance] = []
        self._streams: set[Stream] = set()
        self.clear = True
        """Whether nothing disturbs it."""
        self.standing = False
        """Whether bytes wait."""
        self.losing = False
        """Whether bytes vanish."""
        self.delaying = False
        """Whether bytes arrive later."""

    def add(self, disturbance: Disturbance) -> None:
        """From now on the disturbance is in force, for connections that are open too."""
        self._disturbances.append(disturbance)
        self._changed()

    def remove(self, disturbance: Disturbance) -> None:
        """From now on it is not. One that is not in force is no error."""
        if disturbance in self._disturbances:
            self._disturbances.remove(disturbance)
            self._changed()

    def join(self, stream: Stream) -> None:
        """Counts a connection's direction in."""
        self._streams.add(stream)

    def leave(self, stream: Stream) -> None:
        """Counts it out."""
        self._streams.discard(stream)

    def corrupted(self, data: bytes) -> bytes:
        """Returns the bytes, perhaps with one of them changed."""
        for each in self._disturbances:
            if isinstance(each, Corruption) and data and self._rng.random() < each.probability:
                place = self._rng.randrange(len(data))
                changed = bytearray(data)
                changed[place] ^= self._rng.randrange(1, 256)
                data = bytes(changed)
        return data

    def paced(self, data: bytes, now: float) -> Iterator[tuple[bytes, float]]:
        """Yields the bytes in pieces, each with the time of the loop at which it arrives."""
        late = now + sum(self._delay(each) for each in self._disturbances)
        narrow = [each for each in self._disturbances if isinstance(each, Bandwidth)]
        if not narrow:
            yield data, late
            return
        size = max(1, min(each.bytes_per_second for each in narrow) // _PIECES_PER_SECOND)
        for begin in range(0, len(data), size):
            piece = data[begin : begin + size]
            passed = now
            for each in narrow:
                passed = max(each.free_at, passed) + len(piece) / each.bytes_per_second
                each.free_at = passed
            yield piece, passed + (late - now)

    def _delay(self, disturbance: Disturbance) -> float:
        if not isinstance(disturbance, Latency):
            return 0.0
        jitter = disturbance.jitter.total_seconds()
        return max(0.0, disturbance.delay.total_seconds() + self._rng.uniform(-jitter, jitter))

    def _changed(self) -> None:
        kinds = {type(each) for each in self._disturbances}
        self.clear = not kinds
        self.standing = Standstill in kinds
        self.losing = Loss in kinds
        self.delaying = bool(kinds & {Latency, Bandwidth})
        for stream in list(self._streams):
            stream.changed()


class Stream:
    """One direction of one connection: from a transport, through a flow, to another."""

    def __init__(
        self, flow: Flow, *, spoilt: Callable[[], None], ended: Callable[[], None]
    ) -> None:
        """`spoilt` is told when bytes were lost or changed, `ended` when the last one arrived."""
        self._flow = flow
        self._spoilt = spoilt
        self._ended = ended
        self._queue: deque[tuple[bytes | None, float]] = deque()
        self._queued = 0
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._congested = False
        self._reading = True
        self.source: asyncio.Transport | None = None
        self.target: asyncio.Transport | None = None
        flow.join(self)

    def feed(self, data: bytes) -> None:
        """Takes bytes from the source."""
        if self._flow.clear and not self._queue:
            self._write(data)
            return
        if self._flow.losing:
            self._spoilt()
            return
        passed = self._flow.corrupted(data)
        if passed is not data:
            self._spoilt()
        for piece, due in self._flow.paced(passed, asyncio.get_running_loop().time()):
            self._put(piece, due)

    def end(self) -> None:
        """Takes the end of what the source sends."""
        if self._flow.clear and not self._queue:
            self._ended()
        elif self._flow.losing:
            self._spoilt()
        else:
            self._put(None, self._last)

    def congested(self, *, now: bool) -> None:
        """Takes whether the target can take no more for the moment."""
        self._congested = now
        self._regulate()

    def changed(self) -> None:
        """The flow is disturbed otherwise than before."""
        if self._flow.losing and self._queue:
            self._spoilt()
            self._queue.clear()
            self._queued = 0
        self._deliver()

    def close(self) -> None:
        """Forgets what has not arrived."""
        self._flow.leave(self)
        self._queue.clear()
        self._disarm()

    def _put(self, piece: bytes | None, due: float) -> None:
        self._last = max(self._last, due)
        self._queue.append((piece, self._last))
        self._queued += len(piece or b"")
        self._regulate()
        self._arm()

    def _deliver(self) -> None:
        self._disarm()
        now = asyncio.get_running_loop().time()
        while self._queue and not self._flow.standing:
            piece, due = self._queue[0]
            if self._flow.delaying and due > now:
                break
            self._queue.popleft()
            if piece is None:
                self._ended()
            else:
                self._queued -= len(piece)
                self._write(piece)
        self._regulate()
        self._arm()

    def _arm(self) -> None:
        if self._queue and self._timer is None and not self._flow.standing:
            self._timer = asyncio.get_running_loop().call_at(self._queue[0][1], self._deliver)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _write(self, data: bytes) -> None:
        if self.target is not None and not self.target.is_closing():
            self.target.write(data)

    def _regulate(self) -> None:
        wanted = not self._congested and self._queued < _MOST_QUEUED
        if self.source is None or self.source.is_closing() or wanted == self._reading:
            return
        self._reading = wanted
        if wanted:
            self.source.resume_reading()
        else:
            self.source.pause_reading()
