"""The process that ranks are forked from, as its agent deals with it."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

from spawn import environment

from moestro.v1 import rank_pb2
from moestro_engine.link.framing import FrameDecoder, encode_frame

PATIENCE_S = 30


class RankServer:
    """With the socket that its ranks connect to as well, in ``folder``.

    ``program``: what Python runs in its place.
    """

    def __init__(self, folder: Path, program: tuple[str, ...] = ("-m", "moestro_engine.rank_server")) -> None:
        # Why its ranks are no forks, once it has said so; empty if they are.
        self.why_no_forks: str | None = None
        self._decoder = FrameDecoder()
        self._heard: list[rank_pb2.RankToAgent] = []
        path = str(folder / "s.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        self.listener.settimeout(PATIENCE_S)
        command = [sys.executable, *program, "--socket", path]
        self.stderr = folder / "server-stderr"
        with self.stderr.open("w") as stderr:
            streams = {"stdin": subprocess.DEVNULL, "stderr": stderr}
            self.process = subprocess.Popen(command, env=environment(MOESTRO_RANK_TOKEN="server"), **streams)
        self.link, _ = self.listener.accept()
        self.link.settimeout(PATIENCE_S)
        assert self.answer("hello").token == "server"

    def start(self, token: str, log: Path) -> None:
        self._ask(start_process=rank_pb2.StartRankProcess(token=token, log_path=str(log)))

    def signal(self, token: str, name: str) -> None:
        self._ask(signal_process=rank_pb2.SignalRankProcess(token=token, signal=name))

    def _ask(self, **message) -> None:
        self.link.sendall(encode_frame(rank_pb2.AgentToRank(**message).SerializeToString()))

    def answer(self, kind: str):
        """The next thing it says of a kind; what it says before is left out."""
        while True:
            while not self._heard:
                chunk = self.link.recv(1 << 16)
                assert chunk, self.stderr.read_text()
                self._heard += map(rank_pb2.RankToAgent.FromString, self._decoder.feed(chunk))
            message = self._heard.pop(0)
            if message.HasField("can_start"):
                self.why_no_forks = message.can_start.why_no_forks
            if message.HasField(kind):
                return getattr(message, kind)

    def exit_codes(self, tokens: list[str]) -> dict[str, int]:
        """Of ranks that all end, negative for a signal."""
        codes: dict[str, int] = {}
        while codes.keys() != set(tokens):
            ended = self.answer("process_ended")
            codes[ended.token] = ended.exit_code if ended.HasField("exit_code") else -signal.Signals[ended.signal]
        return codes

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.link.close()
        self.listener.close()
