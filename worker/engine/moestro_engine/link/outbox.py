"""What a rank has to say and the agent has not taken yet."""

from collections import deque

from moestro.v1 import rank_pb2
from moestro_engine.link.framing import encode_frame


class Outbox:
    """A bounded queue of frames. When it is full, the oldest step reports go; nothing else is ever dropped."""

    def __init__(self, max_bytes: int) -> None:
        self._frames: deque[tuple[bytes, bool]] = deque()
        self._max_bytes = max_bytes
        self._sent_of_first = 0
        self.num_bytes = 0
        self.num_dropped_reports = 0

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, message: rank_pb2.RankToAgent) -> None:
        frame = encode_frame(message.SerializeToString())
        self._frames.append((frame, message.WhichOneof("message") == "step"))
        self.num_bytes += len(frame)
        if self.num_bytes > self._max_bytes:
            self._drop_reports()

    def head(self) -> memoryview:
        """The bytes to send next."""
        return memoryview(self._frames[0][0])[self._sent_of_first :]

    def taken(self, count: int) -> None:
        """The socket accepted this many bytes of the head."""
        self._sent_of_first += count
        frame = self._frames[0][0]
        if self._sent_of_first == len(frame):
            self._frames.popleft()
            self.num_bytes -= len(frame)
            self._sent_of_first = 0

    def _drop_reports(self) -> None:
        kept: deque[tuple[bytes, bool]] = deque()
        for index, (frame, is_report) in enumerate(self._frames):
            # The first frame may be half sent: the stream would lose its rhythm without the rest.
            half_sent = index == 0 and self._sent_of_first > 0
            if is_report and not half_sent and self.num_bytes > self._max_bytes:
                self.num_bytes -= len(frame)
                self.num_dropped_reports += 1
            else:
                kept.append((frame, is_report))
        self._frames = kept
