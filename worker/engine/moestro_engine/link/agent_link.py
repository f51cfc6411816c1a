"""The Unix socket to the agent, used at step boundaries only and never waited for while it is full."""

import select
import socket
import time

from moestro.v1 import rank_pb2
from moestro_engine.errors import AgentGoneError
from moestro_engine.link.framing import FrameDecoder
from moestro_engine.link.outbox import Outbox

SOCKET_BUFFER_BYTES = 4 << 20
# Reports of hours: an agent that has left this much unread will not read again.
OUTBOX_BYTES = 256 << 20
DRAIN_S = 1.0
CLOSED = "the agent has gone"


class AgentLink:
    """Sends without blocking (what does not fit is kept and flushed later), receives what has arrived."""

    def __init__(self, connected: socket.socket, outbox_bytes: int = OUTBOX_BYTES) -> None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
        connected.setblocking(False)
        self._socket = connected
        self._decoder = FrameDecoder()
        self._outbox = Outbox()
        self._outbox_bytes = outbox_bytes
        # Why the agent is out of reach; empty while it is not.
        self._gone = ""
        self._inbox: list[rank_pb2.AgentToRank] = []

    @classmethod
    def connect(cls, path: str) -> "AgentLink":
        """Connect to the agent's socket; OSError if nobody listens there."""
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.connect(path)
        return cls(connected)

    def send(self, **message) -> None:
        """Queue one RankToAgent message, given by its field: ``send(hello=...)``, and send what fits now.

        Nothing is left out, for every report is counted. An agent that leaves more than the outbox holds
        unread counts as gone. Never raises: that the agent has gone is learned from ``poll``, where all
        ranks can act on it together.
        """
        if self._gone:
            return
        self._outbox.append(rank_pb2.RankToAgent(**message))
        self.pump()
        if not self._gone and self._outbox.num_bytes > self._outbox_bytes:
            unread = f"{self._outbox.num_bytes / 1e6:.1f} MB of messages"
            self._gone = f"the agent has not read {unread} and is taken to have gone; see whether its machine is overloaded"

    def pump(self) -> None:
        """Send as much of the queue as the socket takes without blocking."""
        try:
            while self._outbox and not self._gone:
                self._outbox.taken(self._socket.send(self._outbox.head()))
        except BlockingIOError:
            return
        except ConnectionError:
            self._gone = CLOSED

    def poll(self) -> list[rank_pb2.AgentToRank]:
        """The messages that have arrived; AgentGoneError once the agent has closed the socket or stopped reading."""
        self._receive()
        messages, self._inbox = self._inbox, []
        return messages

    def wait(self) -> list[rank_pb2.AgentToRank]:
        """Block until something arrives, then poll."""
        while not self._inbox:
            self.idle(None)
        return self.poll()

    def take(self, kind: str) -> rank_pb2.AgentToRank:
        """Block until a message of this kind is here and return it; others stay for ``poll``."""
        while True:
            for index, message in enumerate(self._inbox):
                if message.WhichOneof("message") == kind:
                    return self._inbox.pop(index)
            self.idle(None)

    def idle(self, seconds: float | None) -> None:
        """Pass up to this time, less if something arrives or can be sent; AgentGoneError as in ``poll``."""
        if not self._gone:
            select.select([self._socket], [self._socket] if self._outbox else [], [], seconds)
        self._receive()

    def _receive(self) -> None:
        self.pump()
        while not self._gone:
            try:
                chunk = self._socket.recv(1 << 16)
            except BlockingIOError:
                return
            except ConnectionError:
                chunk = b""
            if not chunk:
                self._gone = CLOSED
            self._inbox += map(rank_pb2.AgentToRank.FromString, self._decoder.feed(chunk))
        raise AgentGoneError(self._gone)

    def close(self, timeout_s: float = 10.0) -> None:
        """Flush what is queued, for at most this long, and close.

        What the agent sent meanwhile is read and thrown away: a socket closed over unread bytes looks to
        the other side as if the connection had broken.
        """
        deadline = time.monotonic() + timeout_s
        self.pump()
        while self._outbox and not self._gone and (left := deadline - time.monotonic()) > 0:
            select.select([], [self._socket], [], left)
            self.pump()
        if not self._gone:
            self._socket.shutdown(socket.SHUT_WR)
            self._drain(min(deadline, time.monotonic() + DRAIN_S))
        self._socket.close()

    def _drain(self, deadline: float) -> None:
        while (left := deadline - time.monotonic()) > 0:
            select.select([self._socket], [], [], left)
            try:
                if not self._socket.recv(1 << 16):
                    return
            except BlockingIOError:
                continue
            except ConnectionError:
                return
