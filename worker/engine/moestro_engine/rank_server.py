"""``python -m moestro_engine.rank_server --socket PATH``: starts an agent's ranks, which have all imported when they do.

Torch and the engine are imported once, and each rank is a fork; where forks will not do, it is a process
that imports for itself. Lines of JSON come on standard input, in answer others go to standard output:

    {"start": {"token": ..., "log": ...}}       {"started": {"token": ..., "pid": ...}}
    {"signal": {"token": ..., "name": ...}}     {"exited": {"token": ..., "code": ..., "signal": ...}}
                                                {"ready": {"forks": ...}}, once

A rank's output goes to its log. The server ends with its input, and its ranks with it.
"""

import argparse
import json
import os
import select
import signal
import sys

from moestro_engine.log_file import write_to
from moestro_engine.parent import die_with_parent
from moestro_engine.preloaded import forks_work, has_begun_cuda, import_training
from moestro_engine.rank_process import be_rank


class RankServer:
    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._forks = False
        # By process id.
        self._tokens: dict[int, str] = {}
        self._unread = b""
        # Whatever prints while it is imported must not come among the answers.
        self._answers = os.dup(1)
        os.dup2(2, 1)
        self._wakeup, self._wake = os.pipe()

    def serve(self) -> None:
        """Until standard input ends."""
        if forks_work():
            import_training()
            self._forks = not has_begun_cuda()
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._answer("ready", forks=self._forks)
        while True:
            readable, _, _ = select.select([0, self._wakeup], [], [])
            if self._wakeup in readable:
                os.read(self._wakeup, 4096)
                self._reap()
            if 0 in readable:
                chunk = os.read(0, 1 << 16)
                if not chunk:
                    return
                self._hear(chunk)

    def _hear(self, chunk: bytes) -> None:
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            [(kind, request)] = json.loads(line).items()
            if kind == "start":
                self._start(request["token"], request["log"])
            else:
                self._signal(request["token"], getattr(signal, request["name"]))

    def _start(self, token: str, log: str) -> None:
        pid = self._fork(token, log) if self._forks else self._spawn(token, log)
        self._tokens[pid] = token
        self._answer("started", token=token, pid=pid)

    def _fork(self, token: str, log: str) -> int:
        pid = os.fork()
        if pid != 0:
            return pid
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            for file in (nothing, self._answers, self._wakeup, self._wake):
                os.close(file)
            write_to(log)
            be_rank(self._socket, token)
        finally:
            os._exit(1)

    def _spawn(self, token: str, log: str) -> int:
        command = [sys.executable, "-m", "moestro_engine", "--socket", self._socket]
        output = (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), output, (os.POSIX_SPAWN_DUP2, 1, 2)]
        return os.posix_spawn(sys.executable, command, {**os.environ, "MOESTRO_RANK_TOKEN": token}, file_actions=files)

    def _signal(self, token: str, number: int) -> None:
        """To a process that has not been waited for: its id is nobody else's."""
        for pid, of in self._tokens.items():
            if of == token:
                os.kill(pid, number)

    def _reap(self) -> None:
        while self._tokens:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            token = self._tokens.pop(pid)
            if code >= 0:
                self._answer("exited", token=token, code=code)
            else:
                self._answer("exited", token=token, signal=_name(-code))

    def _answer(self, kind: str, **about) -> None:
        os.write(self._answers, json.dumps({kind: about}).encode() + b"\n")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="moestro_engine.rank_server", description="Starts the ranks of an agent.")
    parser.add_argument("--socket", required=True, help="Unix socket the agent listens on")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    RankServer(arguments.socket).serve()
