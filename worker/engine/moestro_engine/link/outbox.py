"""What a rank has to say and the agent has not taken yet."""

from collections import deque

from moestro.v1 import rank_pb2
from moestro_engine.link.framing import encode_frame


class Outbox:
    """A queue of frames. Nothing is ever dropped: the coordinator counts on one report a rank and step."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._sent_of_first = 0
        # Of all frames that are not sent whole.
        self.num_bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, message: rank_pb2.RankToAgent) -> None:
        frame = encode_frame(message.SerializeToString())
        self._frames.append(frame)
        self.num_bytes += len(frame)

    def head(self) -> memoryview:
        """The bytes to send next."""
        return memoryview(self._frames[0])[self._sent_of_first :]

    def taken(self, count: int) -> None:
        """The socket accepted this many bytes of the head."""
        self._sent_of_first += count
        frame = self._frames[0]
        if self._sent_of_first == len(frame):
            self._frames.popleft()
            self.num_bytes -= len(frame)
            self._sent_of_first = 0
