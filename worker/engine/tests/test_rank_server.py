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


@pytest.fixture
def server(tmp_path):
    one = RankServer(tmp_path)
    yield one
    one.close()


def start(server: RankServer, token: str, log: Path) -> tuple[int, socket.socket]:
    """The rank's process id, and its end of the socket once it has said who it is."""
    server.start(token, log)
    started = server.answer("process_started")
    assert started.token == token
    assert not started.problem
    connection, _ = server.listener.accept()
    connection.settimeout(PATIENCE_S)
    (hello,) = FrameDecoder().feed(connection.recv(1000))
    assert rank_pb2.RankToAgent.FromString(hello).hello.token == token
    return started.pid, connection


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
    assert not server.answer("can_start").why_no_forks
    proc = Path(f"/proc/{server.process.pid}")
    assert "libtorch" in (proc / "maps").read_text()
    assert len(list((proc / "task").iterdir())) == 1
    sockets = [link for link in (proc / "fd").iterdir() if os.readlink(link).startswith("socket:")]
    assert len(sockets) == 1, "the agent's"


def test_ranks_are_forks_that_write_to_their_logs_alone(server, tmp_path):
    ranks = {name: start(server, name, tmp_path / name) for name in ("a.log", "b.log")}
    assert len({pid for pid, _ in ranks.values()}) == 2
    for log, (pid, _) in ranks.items():
        files = {int(link.name): os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        assert files.pop(0) == os.devnull
        assert files.pop(1) == files.pop(2) == str(tmp_path / log)
        assert [name.partition(":")[0] for name in files.values()] == ["socket"], "the agent's, and nothing of the server's"
        assert "libtorch" in Path(f"/proc/{pid}/maps").read_text()


def test_how_a_rank_ended_is_told(server, tmp_path):
    _, a = start(server, "a", tmp_path / "a.log")
    _, b = start(server, "b", tmp_path / "b.log")
    server.signal("b", "SIGTERM")
    assert server.answer("process_ended") == rank_pb2.RankProcessEnded(token="b", signal="SIGTERM")
    assert b.recv(1) == b""
    a.close()
    assert server.answer("process_ended") == rank_pb2.RankProcessEnded(token="a", exit_code=1)
    assert "the agent has gone" in (tmp_path / "a.log").read_text()
    server.signal("a", "SIGKILL")
    start(server, "c", tmp_path / "c.log")


def test_a_log_that_cannot_be_written_is_told_by_the_server(server, tmp_path):
    server.start("a", tmp_path)
    assert server.answer("process_started").pid
    assert server.answer("process_ended").exit_code == 1
    assert "IsADirectoryError" in server.stderr.read_text()


def test_ranks_end_with_it_and_it_ends_with_the_agents_socket(server, tmp_path):
    pid, _connection = start(server, "a", tmp_path / "a.log")
    server.link.close()
    assert server.process.wait(PATIENCE_S) == 0
    until(lambda: ended(pid))


def test_ranks_end_with_one_that_is_killed(server, tmp_path):
    pid, _connection = start(server, "a", tmp_path / "a.log")
    server.process.send_signal(signal.SIGKILL)
    until(lambda: ended(pid))


def test_where_forks_do_not_work_a_rank_imports_for_itself(tmp_path):
    program = (
        "-c",
        "import runpy, moestro_engine.preloaded as preloaded; preloaded.why_nowhere_here = lambda: 'it is a test';"
        "runpy.run_module('moestro_engine.rank_server', None, '__main__')",
    )
    with contextlib.closing(RankServer(tmp_path, program)) as server:
        assert server.answer("can_start").why_no_forks == "it is a test"
        assert "libtorch" not in Path(f"/proc/{server.process.pid}/maps").read_text()
        pid, _connection = start(server, "a", tmp_path / "a.log")
        assert b"moestro_engine\0--socket" in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert os.readlink(f"/proc/{pid}/fd/2") == str(tmp_path / "a.log")
        server.signal("a", "SIGTERM")
        assert server.answer("process_ended").signal == "SIGTERM"
        server.start("b", tmp_path)
        assert server.answer("process_started").problem == "Is a directory"


WHY = "import sys; from moestro_engine import preloaded; print(preloaded.why_not_now())"


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("", ""),
        ("import torch; torch.version.hip = '6'", "whether a ROCm device was begun cannot be told"),
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "1 threads were started while all was imported",
        ),
    ],
)
def test_what_must_not_be_forked_is_not(before, why):
    command = [sys.executable, "-c", f"{before}\n{WHY}"]
    said = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert said.stdout == f"{why}\n"


def test_a_build_without_triton_imports_what_it_has():
    program = (
        "import sys, torch; torch.version.cuda = '13.0'; import moestro_engine.kernels.select as select;"
        "select.HAS_TRITON = False; sys.modules['triton'] = None;"
        "from moestro_engine.preloaded import import_training; import_training()"
    )
    subprocess.run([sys.executable, "-c", program], env=environment(), check=True)
