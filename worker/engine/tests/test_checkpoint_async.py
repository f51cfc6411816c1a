"""Saving beside training: the state of one step, in order, and every failure heard of."""

import threading
from pathlib import Path

import pytest
import torch
from one_process import CPU, expected, open_state

from helpers import make_job, make_plan
from moestro.v1 import rank_pb2
from moestro_engine.checkpoint import store
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.errors import UserError, is_user_error
from moestro_engine.link.file_link import FileLink
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.training.context import Context

MODEL = {"num_layers": 2, "hidden_size": 16, "num_heads": 2, "num_kv_heads": 2, "head_dim": 8, "ffn_hidden_size": 16}


@pytest.fixture
def context(tmp_path):
    """A rank that saves to ``tmp_path/checkpoints``; what only a training step needs is left out."""
    job = make_job(tmp_path, **MODEL, directory=str(tmp_path / "checkpoints"))
    plan = make_plan(job, dp=2, sharding="ZERO1")
    assignment = rank_pb2.RankAssignment(run_id="test", generation=3, rank=1, plan=plan, job=job)
    with open_state(job, plan, 1) as (groups, chunks, state):
        yield Context(assignment, FileLink(), mesh_of(plan, 1), groups, CPU, None, None, chunks, None, state)


@pytest.fixture
def gate(monkeypatch):
    """Writing waits until this is set."""
    opened, write_shard = threading.Event(), store.write_shard

    def slow(*args):
        assert opened.wait(20)
        return write_shard(*args)

    monkeypatch.setattr(store, "write_shard", slow)
    yield opened
    opened.set()


def fill(context: Context, add: float) -> None:
    for part in context.state.slices():
        part.tensor.copy_(expected(part) + add)


def read_back(context: Context, shards) -> dict:
    folder = Path(context.job.checkpoint.directory) / f"step-{shards.step:08d}"
    slices = [part for part in context.state.slices() if part.writes]
    CheckpointReader(folder, [file.name for file in shards.files]).load(slices)
    return {(part.name, part.offsets): part for part in slices}


def test_what_is_written_is_the_state_at_the_start_whatever_training_does_meanwhile(context, gate):
    writer = store.CheckpointWriter()
    fill(context, 1)
    writer.start(context, 4)
    fill(context, 2)
    assert writer.finished() == []
    gate.set()
    (shards,) = writer.wait()
    assert (shards.step, shards.num_ranks, shards.data_position) == (4, 1, 4 * context.job.training.global_batch_size)
    read = read_back(context, shards)
    assert read
    assert all(torch.equal(part.tensor, expected(part) + 1) for part in read.values())


def test_saves_are_reported_once_and_in_order_and_the_second_waits_for_the_first(context, gate):
    writer = store.CheckpointWriter()
    writer.start(context, 4)
    second = threading.Thread(target=writer.start, args=(context, 8))
    second.start()
    second.join(0.2)
    assert second.is_alive(), "the copy that is being written was overwritten"
    gate.set()
    second.join(20)
    assert [shards.step for shards in writer.finished() + writer.wait()] == [4, 8]
    assert writer.finished() == writer.wait() == []


def test_a_save_beside_training_and_one_in_its_way_write_the_same_file(context):
    writer = store.CheckpointWriter()
    fill(context, 3)
    writer.start(context, 4)
    (beside,) = writer.wait()
    assert beside == store.save_checkpoint(context, 4)


@pytest.mark.parametrize("ask", ["finished", "wait", "start"])
def test_a_save_that_failed_is_heard_of_in_one_line(context, ask):
    Path(context.job.checkpoint.directory).write_text("a file where the folder should be")
    writer = store.CheckpointWriter()
    writer.start(context, 4)
    writer._saves[0].exception(20)
    with pytest.raises(UserError, match=r"checkpoint: cannot write .*check the folder and its permissions") as caught:
        writer.start(context, 8) if ask == "start" else getattr(writer, ask)()
    assert is_user_error(caught.value)
    assert "\n" not in str(caught.value)
