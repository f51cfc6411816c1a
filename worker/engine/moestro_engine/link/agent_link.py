"""The Unix socket to the agent, used at step boundaries only and never waited for while it is full."""

import select
import socket
import time

from moestro.v1 import rank_pb2
from moestro_engine.errors import AgentGoneError
from moestro_engine.link.framing import FrameDecoder
from moestro_engine.link.outbox import Outbox

SOCKET_BUFFER_BYTES = 4 << 20
OUTBOX_BYTES = 32 << 20


class AgentLink:
    """Sends without blocking (what does not fit is kept and flushed later), receives what has arrived."""

    def __init__(self, connected: socket.socket, outbox_bytes: int = OUTBOX_BYTES) -> None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
        connected.setblocking(False)
        self._socket = connected
        self._decoder = FrameDecoder()
        self._outbox = Outbox(outbox_bytes)
        self._gone = False

    @classmethod
    def connect(cls, path: str) -> "AgentLink":
        """Connect to the agent's socket; OSError if nobody listens there."""
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.connect(path)
        return cls(connected)

    def send(self, **message) -> None:
        """Queue one RankToAgent message, given by its field: ``send(hello=...)``, and send what fits now.

        Never raises: that the agent has gone is learned from ``poll``, where all ranks can act on it together.
        """
        self._outbox.append(rank_pb2.RankToAgent(**message))
        self.pump()

    def pump(self) -> None:
        """Send as much of the queue as the socket takes without blocking."""
        try:
            while self._outbox and not self._gone:
                self._outbox.taken(self._socket.send(self._outbox.head()))
        except BlockingIOError:
            return
        except ConnectionError:
            self._gone = True

    def poll(self) -> list[rank_pb2.AgentToRank]:
        """The messages that have arrived; AgentGoneError once the agent has closed the socket."""
        self.pump()
        if self._gone:
            raise AgentGoneError
        messages: list[rank_pb2.AgentToRank] = []
        while True:
            try:
                chunk = self._socket.recv(1 << 16)
            except BlockingIOError:
                return messages
            except ConnectionError as error:
                raise AgentGoneError from error
            if not chunk:
                raise AgentGoneError
            messages += map(rank_pb2.AgentToRank.FromString, self._decoder.feed(chunk))

    def wait(self, timeout_s: float | None = None) -> list[rank_pb2.AgentToRank]:
        """Block until something arrives or the time is over, then poll; the queue drains meanwhile."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            if messages := self.poll():
                return messages
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return []
            select.select([self._socket], [self._socket] if self._outbox else [], [], left)

    def close(self, timeout_s: float = 10.0) -> None:
        """Flush what is queued, for at most this long, and close."""
        deadline = time.monotonic() + timeout_s
        self.pump()
        while self._outbox and not self._gone and (left := deadline - time.monotonic()) > 0:
            select.select([], [self._socket], [], left)
            self.pump()
        self._socket.close()
