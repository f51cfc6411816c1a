"""``python -m moestro_engine.rank_server --socket PATH``: starts an agent's ranks, which have all imported when they do.

Torch and the engine are imported once, and each rank is a fork; where forks will not do, it is a process
that imports for itself. The agent asks over the socket that ranks use too. The server ends when that is
closed, and its ranks with it.
"""

import argparse
import os
import select
import signal
import socket
import sys
import traceback

from moestro.v1 import rank_pb2
from moestro_engine.link.framing import FrameDecoder, encode_frame
from moestro_engine.log_file import write_to
from moestro_engine.parent import die_with_parent
from moestro_engine.preloaded import import_training, why_not_now, why_nowhere_here
from moestro_engine.process_name import name_process
from moestro_engine.rank_process import be_rank


class RankServer:
    """``path``: of the socket that the agent listens on; ``token``: by which it knows this process."""

    def __init__(self, path: str, token: str) -> None:
        self._path = path
        self._why_no_forks = why_nowhere_here()
        # By process id.
        self._tokens: dict[int, str] = {}
        self._decoder = FrameDecoder()
        self._wakeup, self._wake = os.pipe()
        self._agent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._agent.connect(path)
        self._say(hello=rank_pb2.RankHello(token=token))

    def serve(self) -> None:
        """Until the agent closes the socket."""
        if not self._why_no_forks:
            import_training()
            self._why_no_forks = why_not_now()
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._say(can_start=rank_pb2.CanStartRanks(why_no_forks=self._why_no_forks))
        while True:
            readable, _, _ = select.select([self._agent, self._wakeup], [], [])
            if self._wakeup in readable:
                os.read(self._wakeup, 4096)
                self._reap()
            if self._agent in readable:
                chunk = self._agent.recv(1 << 16)
                if not chunk:
                    return
                for payload in self._decoder.feed(chunk):
                    self._hear(rank_pb2.AgentToRank.FromString(payload))

    def _hear(self, message: rank_pb2.AgentToRank) -> None:
        if message.HasField("start_process"):
            self._start(message.start_process)
        else:
            self._signal(message.signal_process)

    def _start(self, wanted: rank_pb2.StartRankProcess) -> None:
        started = rank_pb2.RankProcessStarted(token=wanted.token)
        try:
            started.pid = self._spawn(wanted) if self._why_no_forks else self._fork(wanted)
            self._tokens[started.pid] = wanted.token
        except OSError as error:
            started.problem = error.strerror or str(error)
        self._say(process_started=started)

    def _fork(self, wanted: rank_pb2.StartRankProcess) -> int:
        server = os.getpid()
        pid = os.fork()
        if pid != 0:
            return pid
        try:
            die_with_parent()
            if os.getppid() == server:
                self._leave_to(wanted.log_path)
                be_rank(self._path, wanted.token)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def _leave_to(self, log_path: str) -> None:
        """In the fork: lets go of all that is the server's, and writes to the log."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for file in (self._wakeup, self._wake):
            os.close(file)
        self._agent.close()
        name_process("moestro-rank")
        write_to(log_path)

    def _spawn(self, wanted: rank_pb2.StartRankProcess) -> int:
        command = [sys.executable, "-m", "moestro_engine", "--socket", self._path]
        log = (os.POSIX_SPAWN_OPEN, 1, wanted.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        files = [log, (os.POSIX_SPAWN_DUP2, 1, 2)]
        environment = {**os.environ, "MOESTRO_RANK_TOKEN": wanted.token}
        return os.posix_spawn(sys.executable, command, environment, file_actions=files, setsigdef=[signal.SIGTERM])

    def _signal(self, wanted: rank_pb2.SignalRankProcess) -> None:
        """To a process that has not been waited for: its id is nobody else's."""
        for pid, token in self._tokens.items():
            if token == wanted.token and wanted.signal:
                os.kill(pid, signal.Signals[wanted.signal])
        self._say(process_signalled=rank_pb2.RankProcessSignalled())

    def _reap(self) -> None:
        while self._tokens:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            how = {"exit_code": code} if code >= 0 else {"signal": _name(-code)}
            self._say(process_ended=rank_pb2.RankProcessEnded(token=self._tokens.pop(pid), **how))

    def _say(self, **message) -> None:
        self._agent.sendall(encode_frame(rank_pb2.RankToAgent(**message).SerializeToString()))


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _main() -> None:
    parser = argparse.ArgumentParser(prog="moestro_engine.rank_server", description="Starts the ranks of an agent.")
    parser.add_argument("--socket", required=True, help="Unix socket the agent listens on")
    arguments = parser.parse_args()
    # What ends the agent in order is often sent to all its processes: it ends this one itself, behind its ranks.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    name_process("moestro-ranks")
    # Not for the ranks, which inherit the environment.
    token = os.environ.pop("MOESTRO_RANK_TOKEN", "")
    try:
        RankServer(arguments.socket, token).serve()
    except ConnectionError:
        # The agent has gone.
        sys.exit(1)


if __name__ == "__main__":
    _main()
