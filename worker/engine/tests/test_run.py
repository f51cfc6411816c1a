"""Ranks under an agent: from the assignment to the last word, and every way to end early."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agent import Agent, start_rank
from spawn import environment, merge

from helpers import make_job, make_plan
from moestro.v1 import rank_pb2
from moestro_engine.link.framing import encode_frame

TINY = {
    "num_layers": 2,
    "hidden_size": 32,
    "num_heads": 4,
    "num_kv_heads": 2,
    "head_dim": 8,
    "ffn_hidden_size": 16,
    "sequence_length": 32,
    "global_batch_size": 4,
    "warmup_steps": 2,
    "steps": 6,
    "every_steps": 3,
    "sample_bytes": 5,
    "sample_prompt": "def ",
    "validation_every_steps": 4,
    "timeline_every_steps": 2,
}


def coefficient(step: int, layer: int) -> float:
    return 0.001 * step + 0.1 * layer


def coefficients(step: int) -> rank_pb2.Coefficients:
    return rank_pb2.Coefficients(effective_step=step, values=[coefficient(step, layer) for layer in range(2)])


def control(agent: Agent, step: int) -> None:
    if step + 2 <= 6:
        # Late enough for a rank that does not wait to begin the next step without it.
        time.sleep(0.05)
        agent.tell(0, coefficients=coefficients(step + 2))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny job, strict, and its plan: two stages of one layer on two ranks."""
    folder = tmp_path_factory.mktemp("tiny")
    job = make_job(folder / "cache", **TINY, directory=str(folder / "checkpoints"), strict_control=True)
    return job, make_plan(job, stages=(1, 1), micro_batch=1)


@pytest.fixture(scope="module")
def complete(tiny):
    """A run from the first step to the last."""
    ends = Agent(*tiny, coefficients=[coefficients(1), coefficients(2)]).run(control)
    assert [end.exit_code for end in ends] == [0, 0], ends[0].stderr + ends[1].stderr
    return ends


def steps_of(ends):
    return merge([message for end in ends for message in end.messages])


def test_a_run_tells_its_story_in_order(complete):
    for rank, end in enumerate(complete):
        kinds = [message.WhichOneof("message") for message in end.messages]
        opening = ["hello", "data", "rendezvous", "joined", "ready"] if rank == 0 else ["hello", "ready"]
        # The checkpoint of step 3 is written meanwhile and comes as soon as it is.
        closing = ["step"] * 6 + ["checkpoint", *(["sample"] if rank == 0 else []), "finished"]
        first = kinds.index("checkpoint")
        assert kinds[:first] + kinds[first + 1 :] == opening + closing
        assert [shards.step for shards in end.of("checkpoint")] == [3, 6]
        assert kinds[:first].count("step") >= 3
        assert [report.step for report in end.of("step")] == [1, 2, 3, 4, 5, 6]
        assert end.of("finished")[0] == rank_pb2.RankFinished(last_step=6)
    (sample,) = complete[0].of("sample")
    assert (sample.prompt, len(sample.text)) == (b"def ", 5)


def test_a_report_holds_losses_counts_times_and_the_stages_timeline(complete):
    steps = steps_of(complete)
    assert [step for step, sums in steps.items() if sums.validation_tokens] == [4, 6]
    assert all(sums.loss_tokens == 4 * 32 for sums in steps.values())
    # Four micro-batches of 32 tokens, top-2, and with capacity factor 1 at least the surplus is dropped.
    for sums in steps.values():
        for layer in range(2):
            experts = [key for key in sums.routed if key[0] == layer]
            assert sum(sums.routed[key] for key in experts) == 256
            assert 0 < sum(sums.dropped[key] for key in experts) < 256
    report = complete[1].of("step")[1]
    (stage,) = report.stages
    assert (stage.stage, stage.num_ranks) == (1, 1)
    assert 0 < stage.compute_ms < report.step_ms
    assert (stage.slowest_rank, stage.least_compute_ms) == (1, stage.compute_ms)
    assert stage.peak_memory_bytes > 10 << 20
    # Four forward and four backward passes, the last stage's in turn, and the optimizer.
    assert [event.kind for event in stage.timeline] == [1, 2] * 4 + [3]
    assert all(event.start_ms < event.end_ms <= report.step_ms + 1 for event in stage.timeline)
    assert not complete[1].of("step")[2].stages[0].timeline


def test_coefficients_apply_on_all_ranks_at_exactly_the_step_they_say(complete):
    for step, sums in steps_of(complete).items():
        assert sums.coefficients == {layer: {coefficient(step, layer)} for layer in range(2)}
    assert all(report.late_control_values == 0 for end in complete for report in end.of("step"))


def test_a_run_continued_from_a_checkpoint_is_bit_equal(complete, tiny):
    job, plan = tiny
    restore = rank_pb2.RankAssignment().restore
    restore.step, restore.directory = 3, str(Path(job.checkpoint.directory) / "step-00000003")
    restore.files.extend(end.of("checkpoint")[0].files[0].name for end in complete)
    agent = Agent(job, plan, generation=2, restore=restore, coefficients=[coefficients(4), coefficients(5)])
    ends = agent.run(control)
    assert [end.of("ready")[0].next_step for end in ends] == [4, 4]
    before, after = steps_of(complete), steps_of(ends)
    assert after == {step: before[step] for step in (4, 5, 6)}
    hashes = [[end.of("checkpoint")[-1].files[0].sha256 for end in run] for run in (complete, ends)]
    assert hashes[0] == hashes[1]
    assert ends[0].of("sample") == complete[0].of("sample")
    assert ends[0].of("data")[0].reused


def test_a_request_to_stop_ends_all_ranks_at_one_step_with_a_checkpoint(tiny, tmp_path):
    job = type(tiny[0])()
    job.CopyFrom(tiny[0])
    job.training.steps, job.strict_control, job.checkpoint.directory = 100_000, False, str(tmp_path)

    def stop(agent: Agent, step: int) -> None:
        if step == 2:
            agent.tell(0, coefficients=coefficients(2))
            agent.tell(0, stop=rank_pb2.StopRequest(checkpoint=True))

    ends = Agent(job, tiny[1], coefficients=[coefficients(1)]).run(stop)
    assert [end.exit_code for end in ends] == [0, 0]
    (last,) = {end.of("finished")[0].last_step for end in ends}
    assert all(end.of("finished")[0].stopped_early for end in ends)
    assert [end.of("checkpoint")[-1].step for end in ends] == [last, last]
    assert ends[0].of("checkpoint")[-1].data_position == last * 4
    # The stale value was counted, on the step in which it arrived.
    assert ends[0].of("step")[-1].late_control_values == 1


def test_a_request_to_save_makes_one_checkpoint_and_training_goes_on(tiny, tmp_path):
    job = type(tiny[0])()
    job.CopyFrom(tiny[0])
    job.training.steps, job.strict_control = 12, False
    job.checkpoint.directory, job.checkpoint.every_steps = str(tmp_path), 0

    def save(agent: Agent, step: int) -> None:
        if step == 2:
            agent.tell(0, save=rank_pb2.SaveRequest())

    ends = Agent(job, tiny[1], coefficients=[coefficients(1)]).run(save)
    assert [end.exit_code for end in ends] == [0, 0]
    asked, last = [shards.step for shards in ends[0].of("checkpoint")]
    assert (2 < asked < 12, last) == (True, 12)
    assert [shards.step for shards in ends[1].of("checkpoint")] == [asked, 12]
    assert not ends[0].of("finished")[0].stopped_early


def test_when_the_agent_goes_its_ranks_end_within_seconds(tiny):
    job = type(tiny[0])()
    job.CopyFrom(tiny[0])
    job.training.steps, job.strict_control = 100_000, False
    left = []

    def leave(agent: Agent, step: int) -> None:
        if step == 2:
            agent.leave()
            left.append(time.monotonic())

    ends = Agent(job, tiny[1]).run(leave)
    assert time.monotonic() - left[0] < 5
    assert [end.exit_code for end in ends] == [1, 1]
    assert any("the agent has gone" in end.stderr for end in ends)


def test_a_loss_that_is_not_a_number_ends_the_run_with_step_layer_and_rank(tiny):
    job = type(tiny[0])()
    job.CopyFrom(tiny[0])
    job.training.learning_rate, job.training.clip_grad_norm, job.strict_control = 1e38, 0, False
    job.checkpoint.every_steps = 1
    (end,) = Agent(job, make_plan(job, micro_batch=1)).run()
    (failed,) = end.of("failed")
    assert end.exit_code == 1
    assert "step 2: the loss or its gradient is not finite, first in layer" in failed.message
    assert "on rank 0" in failed.message
    assert "\n" not in failed.message
    assert "Traceback" in end.stderr
    assert [shards.step for shards in end.of("checkpoint")] == [1], "what was being written is of a good step"


def test_data_that_will_not_do_fails_as_the_users_error(tiny, tmp_path):
    job = type(tiny[0])()
    job.CopyFrom(tiny[0])
    job.data.text_path = str(tmp_path / "nowhere")
    (end,) = Agent(job, make_plan(job, micro_batch=1)).run()
    (failed,) = end.of("failed")
    assert end.exit_code == 1
    assert failed.user_error
    assert failed.message == f"data.path: {tmp_path / 'nowhere'} does not exist; name a text file or a folder of text files"


def listening(tmp_path) -> tuple[socket.socket, str]:
    path = str(tmp_path / "s.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    listener.settimeout(20)
    return listener, path


def test_a_killed_parent_takes_the_rank_along_though_the_socket_stays_open(tmp_path):
    listener, path = listening(tmp_path)
    program = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(60)"
    command = [sys.executable, "-c", program, sys.executable, "-m", "moestro_engine", "--socket", path]
    parent = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    rank_pid = int(parent.stdout.readline())
    connection, _ = listener.accept()
    assert connection.recv(100)
    parent.kill()
    parent.wait()
    connection.settimeout(5)
    assert connection.recv(100) == b"", "the kernel closes a dead rank's socket"
    assert not Path(f"/proc/{rank_pid}/cmdline").exists() or Path(f"/proc/{rank_pid}/cmdline").read_bytes() == b""


def test_sigterm_ends_a_rank_at_once_and_ctrl_c_does_not(tmp_path):
    listener, path = listening(tmp_path)
    rank = start_rank(path, tmp_path / "stderr")
    connection, _ = listener.accept()
    assert connection.recv(100)
    os.kill(rank.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        rank.wait(0.3)
    os.kill(rank.pid, signal.SIGTERM)
    assert rank.wait(5) == -signal.SIGTERM


def test_a_rank_without_an_agent_says_so(tmp_path):
    rank = start_rank(str(tmp_path / "nobody"), tmp_path / "stderr")
    assert rank.wait(20) == 1
    assert "no agent at" in (tmp_path / "stderr").read_text()


def test_a_rank_writes_all_its_stacks_to_its_log_on_sigusr1(tiny, tmp_path):
    listener, path = listening(tmp_path)
    log = tmp_path / "stderr"
    rank = start_rank(path, log)
    connection, _ = listener.accept()
    assert connection.recv(100)
    # Rank 1 of a node: it waits for the rendezvous of a rank 0 that is not there.
    assignment = rank_pb2.RankAssignment(rank=1, local_rank=1, job=tiny[0], plan=tiny[1])
    connection.sendall(encode_frame(rank_pb2.AgentToRank(assignment=assignment).SerializeToString()))
    for _ in range(300):
        os.kill(rank.pid, signal.SIGUSR1)
        time.sleep(0.2)
        if "agent_store" in log.read_text():
            break
    assert "agent_store" in log.read_text()
    assert "thread 0x" in log.read_text()
    assert rank.poll() is None
    rank.kill()
    rank.wait()


def test_stacks_come_out_of_a_process_whose_thread_holds_the_gil():
    program = (
        "import ctypes, time; from moestro_engine.parent import prepare_signals; prepare_signals()\n"
        "def never_lets_go():\n"
        "    print(flush=True)\n"
        "    while True: ctypes.PyDLL(None).usleep(10**9)\n"
        "never_lets_go()"
    )
    stuck = subprocess.Popen(
        [sys.executable, "-c", program], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert stuck.stdout.readline() == "\n"
    stuck.send_signal(signal.SIGUSR1)
    lines = [stuck.stderr.readline() for _ in range(2)]
    stuck.kill()
    stuck.wait()
    assert "never_lets_go" in lines[1]
