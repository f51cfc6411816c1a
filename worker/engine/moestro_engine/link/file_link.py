"""The agent's place when there is none: reports go to a file, or nowhere."""

import time
from pathlib import Path

from google.protobuf import json_format

from moestro.v1 import rank_pb2
from moestro_engine.errors import AgentGoneError


class FileLink:
    """Takes what a rank sends; with a path, writes every message there as one line of JSON."""

    def __init__(self, path: Path | None = None) -> None:
        self._file = path.open("w", encoding="utf-8") if path else None

    def send(self, **message) -> None:
        if self._file is not None:
            envelope = rank_pb2.RankToAgent(**message)
            self._file.write(json_format.MessageToJson(envelope, indent=None) + "\n")

    def poll(self) -> list[rank_pb2.AgentToRank]:
        return []

    def wait(self) -> list[rank_pb2.AgentToRank]:
        raise AgentGoneError("there is no agent to wait for")

    def idle(self, seconds: float) -> None:
        time.sleep(seconds)

    def close(self, timeout_s: float = 10.0) -> None:
        if self._file is not None:
            self._file.close()
