"""The process that ranks are forked from, as its agent deals with it."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

from spawn import environment

PATIENCE_S = 30


class RankServer:
    """With the socket that its ranks connect to, in ``folder``.

    ``program``: what Python runs in its place.
    """

    def __init__(self, folder: Path, program: tuple[str, ...] = ("-m", "moestro_engine.rank_server")) -> None:
        # Whether its ranks are forks, once it has said so.
        self.forks: bool | None = None
        path = str(folder / "s.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        self.listener.settimeout(PATIENCE_S)
        command = [sys.executable, *program, "--socket", path]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=environment(), text=True, **pipes)

    def ask(self, **request) -> None:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict:
        answer = json.loads(self.process.stdout.readline())
        self.forks = answer.get("ready", {}).get("forks", self.forks)
        return answer

    def exit_codes(self, tokens: list[str]) -> dict[str, int]:
        """Of ranks that all end, negative for a signal."""
        codes: dict[str, int] = {}
        while codes.keys() != set(tokens):
            ended = self.answer().get("exited")
            if ended:
                codes[ended["token"]] = ended["code"] if "code" in ended else -signal.Signals[ended["signal"]]
        return codes

    def close(self) -> None:
        self.process.kill()
        with self.process:
            self.listener.close()
