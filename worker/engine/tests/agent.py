"""The smallest agent that can run ranks: for tests of the engine's side of the protocol."""

import atexit
import functools
import itertools
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rank_server import RankServer
from spawn import environment

from moestro.v1 import job_pb2, plan_pb2, rank_pb2
from moestro_engine.link.framing import FrameDecoder, encode_frame

DEADLINE_S = 90


@dataclass
class RankEnd:
    """What one rank said, in order, and how it ended."""

    messages: list[rank_pb2.RankToAgent] = field(default_factory=list)
    exit_code: int | None = None
    stderr: str = ""

    def of(self, kind: str) -> list:
        return [getattr(message, kind) for message in self.messages if message.WhichOneof("message") == kind]


_runs = itertools.count()


@functools.cache
def rank_server() -> RankServer:
    """Of all agents of this process."""
    folder = tempfile.mkdtemp()
    server = RankServer(Path(folder))
    atexit.register(shutil.rmtree, folder)
    atexit.register(server.close)
    return server


class Agent:
    """Starts the ranks of a plan and speaks with them until all have ended.

    ``on_step(agent, step)`` is called when every rank has reported a step.
    """

    def __init__(self, job: job_pb2.EngineJob, plan: plan_pb2.Plan, generation: int = 1, **assignment) -> None:
        self.world = plan.world_size
        run = next(_runs)
        self.tokens = [f"token-{run}-{rank}" for rank in range(self.world)]
        self.ends = [RankEnd() for _ in range(self.world)]
        self._common = rank_pb2.RankAssignment(
            run_id="test",
            generation=generation,
            plan=plan,
            job=job,
            collective_timeout_ms=30_000,
            rendezvous_host="127.0.0.1",
            **assignment,
        )
        self._rank_of: dict[socket.socket, int] = {}
        self._decoders: dict[socket.socket, FrameDecoder] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._rendezvous: rank_pb2.Rendezvous | None = None
        self._selector = selectors.DefaultSelector()
        self._reports: dict[int, int] = {}
        self._num_open = self.world

    def run(self, on_step: Callable[["Agent", int], None] = lambda agent, step: None) -> list[RankEnd]:
        server = rank_server()
        self._selector.register(server.listener, selectors.EVENT_READ)
        with tempfile.TemporaryDirectory() as folder:
            logs = [Path(folder, f"rank-{rank}.log") for rank in range(self.world)]
            for token, log in zip(self.tokens, logs, strict=True):
                server.start(token, log)
            try:
                self._serve(server.listener, on_step)
            except BaseException:
                for token in self.tokens:
                    server.signal(token, "SIGKILL")
                raise
            finally:
                codes = server.exit_codes(self.tokens)
            for token, log, end in zip(self.tokens, logs, self.ends, strict=True):
                end.exit_code = codes[token]
                end.stderr = log.read_text()
        return self.ends

    def tell(self, rank: int, **message) -> None:
        self._sockets[rank].sendall(encode_frame(rank_pb2.AgentToRank(**message).SerializeToString()))

    def leave(self) -> None:
        """Close every socket, as a killed agent would."""
        for connection in list(self._sockets.values()):
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        self._sockets.pop(self._rank_of[connection])
        connection.close()
        self._num_open -= 1

    def _serve(self, listener: socket.socket, on_step) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while self._num_open > 0:
            assert time.monotonic() < deadline, "the ranks took too long"
            for key, _ in self._selector.select(1):
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    self._decoders[connection] = FrameDecoder()
                    self._selector.register(connection, selectors.EVENT_READ)
                else:
                    self._read(key.fileobj, on_step)

    def _read(self, connection: socket.socket, on_step) -> None:
        if connection.fileno() < 0:
            return
        chunk = connection.recv(1 << 16)
        if not chunk:
            self._drop(connection)
            return
        for payload in self._decoders[connection].feed(chunk):
            self._hear(connection, rank_pb2.RankToAgent.FromString(payload), on_step)

    def _hear(self, connection: socket.socket, message: rank_pb2.RankToAgent, on_step) -> None:
        kind = message.WhichOneof("message")
        if kind == "hello":
            rank = self._rank_of[connection] = self.tokens.index(message.hello.token)
            self._sockets[rank] = connection
            assignment = rank_pb2.RankAssignment(rank=rank, local_rank=rank, slot=rank)
            assignment.MergeFrom(self._common)
            self.tell(rank, assignment=assignment)
            if self._rendezvous is not None and rank > 0:
                self.tell(rank, rendezvous=self._rendezvous)
        rank = self._rank_of[connection]
        self.ends[rank].messages.append(message)
        if kind == "rendezvous":
            self._rendezvous = message.rendezvous
            for other in self._sockets.keys() - {0}:
                self.tell(other, rendezvous=message.rendezvous)
        if kind == "step":
            step = message.step.step
            self._reports[step] = self._reports.get(step, 0) + 1
            if self._reports[step] == self.world:
                on_step(self, step)


def start_rank(path: str, stderr: Path, token: str = "") -> subprocess.Popen:
    command = [sys.executable, "-m", "moestro_engine", "--socket", path]
    with stderr.open("w") as file:
        return subprocess.Popen(command, env=environment(MOESTRO_RANK_TOKEN=token), stderr=file)
