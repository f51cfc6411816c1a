"""The process that ranks are forked from, by what its agent hears."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rank_server import PATIENCE_S, RankServer
from spawn import environment

from moestro.v1 import rank_pb2
from moestro_engine.link.framing import FrameDecoder


def start(server: RankServer, token: str, log: Path) -> tuple[int, socket.socket]:
    """The rank's process id, and its end of the socket once it has said who it is."""
    server.ask(start={"token": token, "log": str(log)})
    started = server.answer()["started"]
    assert started["token"] == token
    connection, _ = server.listener.accept()
    connection.settimeout(PATIENCE_S)
    (hello,) = FrameDecoder().feed(connection.recv(1000))
    assert rank_pb2.RankToAgent.FromString(hello).hello.token == token
    return started["pid"], connection


@pytest.fixture
def server(tmp_path):
    one = RankServer(tmp_path)
    yield one
    one.close()


def ended(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def until(true) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_has_all_imported_and_holds_nothing(server):
    assert server.answer() == {"ready": {"forks": True}}
    proc = Path(f"/proc/{server.process.pid}")
    assert "libtorch" in (proc / "maps").read_text()
    assert len(list((proc / "task").iterdir())) == 1
    assert not [link for link in (proc / "fd").iterdir() if os.readlink(link).startswith("socket:")]


def test_ranks_are_forks_that_write_to_their_logs_alone(server, tmp_path):
    assert server.answer() == {"ready": {"forks": True}}
    pid, _ = start(server, "a", tmp_path / "a.log")
    other, _ = start(server, "b", tmp_path / "b.log")
    assert pid != other
    for one, log in ((pid, "a.log"), (other, "b.log")):
        files = {int(link.name): os.readlink(link) for link in Path(f"/proc/{one}/fd").iterdir()}
        assert files.pop(0) == os.devnull
        assert files.pop(1) == files.pop(2) == str(tmp_path / log)
        assert [name.partition(":")[0] for name in files.values()] == ["socket"], "the agent's, and nothing of the server's"
    assert "libtorch" in Path(f"/proc/{pid}/maps").read_text()


def test_how_a_rank_ended_is_told(server, tmp_path):
    assert server.answer() == {"ready": {"forks": True}}
    _, connection = start(server, "a", tmp_path / "a.log")
    _, other = start(server, "b", tmp_path / "b.log")
    server.ask(signal={"token": "b", "name": "SIGTERM"})
    assert server.answer() == {"exited": {"token": "b", "signal": "SIGTERM"}}
    assert other.recv(1) == b""
    connection.close()
    assert server.answer() == {"exited": {"token": "a", "code": 1}}
    assert "the agent has gone" in (tmp_path / "a.log").read_text()
    server.ask(signal={"token": "a", "name": "SIGKILL"})
    start(server, "c", tmp_path / "c.log")


def test_ranks_end_with_it_and_it_ends_with_its_input(server, tmp_path):
    assert server.answer() == {"ready": {"forks": True}}
    pid, _ = start(server, "a", tmp_path / "a.log")
    server.process.stdin.close()
    assert server.process.wait(PATIENCE_S) == 0
    until(lambda: ended(pid))


def test_ranks_end_with_one_that_is_killed(server, tmp_path):
    assert server.answer() == {"ready": {"forks": True}}
    pid, _ = start(server, "a", tmp_path / "a.log")
    server.process.send_signal(signal.SIGKILL)
    until(lambda: ended(pid))


def test_where_forks_do_not_work_a_rank_imports_for_itself(tmp_path):
    program = (
        "-c",
        "import runpy, moestro_engine.preloaded as preloaded; preloaded.forks_work = lambda: False;"
        "runpy.run_module('moestro_engine.rank_server', None, '__main__')",
    )
    with contextlib.closing(RankServer(tmp_path, program)) as server:
        assert server.answer() == {"ready": {"forks": False}}
        assert "libtorch" not in Path(f"/proc/{server.process.pid}/maps").read_text()
        pid, _ = start(server, "a", tmp_path / "a.log")
        assert b"moestro_engine\0--socket" in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert os.readlink(f"/proc/{pid}/fd/2") == str(tmp_path / "a.log")
        server.ask(signal={"token": "a", "name": "SIGKILL"})
        assert server.answer() == {"exited": {"token": "a", "signal": "SIGKILL"}}


def test_a_driver_that_is_not_there_has_not_begun():
    program = "from moestro_engine.preloaded import has_begun_cuda; print(has_begun_cuda())"
    said = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"
