"""Checkpoint shards: written whole, read at any layout, never through pickle."""

import os
import pickle
import shutil

import pytest
import torch

from helpers import make_job, make_plan
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.checkpoint.state import Slice, random_state, set_random_state, training_slices
from moestro_engine.checkpoint.write import shard_name, write_shard
from moestro_engine.errors import EngineError, is_user_error
from moestro_engine.parallel.collectives import LocalGroup
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.parallel.parallelize import build_stage
from moestro_engine.training.optimizer import make_optimizer

CPU = torch.device("cpu")
MODEL = {"num_layers": 3, "hidden_size": 32, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8, "ffn_hidden_size": 16}


def slices_of(job, plan, rank: int, fill: bool) -> list[Slice]:
    """What one rank holds; ``fill`` gives the moments values that depend on name and place alone."""
    mesh = mesh_of(plan, rank)
    model, placements = build_stage(job, plan, mesh, LocalGroup(), CPU)
    parameters = dict(model.named_parameters())
    slices = training_slices(parameters, placements, make_optimizer(parameters, placements, job.training))
    for part in slices:
        if fill and part.name.startswith("optimizer."):
            count = torch.Size(part.global_shape).numel()
            full = torch.arange(count, dtype=torch.float32).view(part.global_shape) + len(part.name)
            part.tensor.copy_(full[tuple(slice(o, o + n) for o, n in zip(part.offsets, part.tensor.shape, strict=True))])
        elif not fill:
            part.tensor.zero_()
    return slices


def write_all(folder, job, plan, generation: int = 1) -> list[str]:
    """Write every rank's shard and return their names."""
    names = [shard_name(generation, rank, plan.world_size) for rank in range(plan.world_size)]
    for rank, name in enumerate(names):
        write_shard(folder, name, 7, slices_of(job, plan, rank, fill=True), random_state(rank, CPU))
    return names


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"tp": 2, "stages": (2, 1)}, {}),
        ({}, {"tp": 2, "stages": (2, 1)}),
        ({"tp": 4}, {"tp": 2, "dp": 2}),
        ({"dp": 2, "stages": (1, 2)}, {"tp": 2, "stages": (2, 1)}),
    ],
)
def test_a_checkpoint_of_one_layout_is_read_bit_equal_by_another(written, read, tmp_path):
    job = make_job(tmp_path, **MODEL)
    files = write_all(tmp_path / "step", job, make_plan(job, **written))
    plan = make_plan(job, **read)
    for rank in range(plan.world_size):
        expected = {part.name: part.tensor.clone() for part in slices_of(job, plan, rank, fill=True)}
        loaded = slices_of(job, plan, rank, fill=False)
        CheckpointReader(tmp_path / "step", files).load(loaded)
        assert loaded
        for part in loaded:
            assert torch.equal(part.tensor, expected[part.name]), part.name


def test_every_value_is_written_once_however_many_replicas_there_are(tmp_path):
    job = make_job(tmp_path, **MODEL)
    plan = make_plan(job, tp=2, dp=2)
    written = [part for rank in range(4) for part in slices_of(job, plan, rank, fill=True) if part.writes]
    whole = slices_of(job, make_plan(job), 0, fill=True)
    assert sum(part.tensor.numel() for part in written) == sum(part.tensor.numel() for part in whole)


def test_neither_writing_nor_reading_touches_pickle(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("pickle was used")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "save", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    job = make_job(tmp_path, **MODEL)
    plan = make_plan(job, tp=2)
    files = write_all(tmp_path / "step", job, plan)
    reader = CheckpointReader(tmp_path / "step", files)
    reader.load(slices_of(job, plan, 1, fill=False))
    assert reader.local()
    for path in (tmp_path / "step").iterdir():
        # Eight bytes of header length, then JSON: a pickle starts with its protocol, a zip with PK.
        head = path.read_bytes()[:9]
        assert head[8:9] == b"{"
        assert not head.startswith((b"PK", b"\x80"))


def test_the_state_of_the_random_numbers_comes_back(tmp_path):
    torch.manual_seed(5)
    file = write_shard(tmp_path, shard_name(1, 0, 1), 1, [], random_state(0, CPU))
    expected = torch.rand(4)
    set_random_state(0, CPU, CheckpointReader(tmp_path, [file.name]).local())
    assert torch.equal(torch.rand(4), expected)


def test_the_reported_checksum_and_size_are_the_files(tmp_path):
    import hashlib

    file = write_shard(tmp_path, shard_name(1, 0, 1), 1, [], {"x": torch.arange(10)})
    content = (tmp_path / file.name).read_bytes()
    assert (file.size_bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_damaged_or_missing_shards_are_named(tmp_path):
    job = make_job(tmp_path, **MODEL)
    plan = make_plan(job, tp=2)
    folder = tmp_path / "step"
    files = write_all(folder, job, plan)
    shard = folder / shard_name(1, 1, 2)
    shutil.copy(shard, tmp_path / "whole")
    os.truncate(shard, shard.stat().st_size - 100)
    with pytest.raises(EngineError, match=f"{shard.name}: damaged"):
        CheckpointReader(folder, files)
    shard.unlink()
    with pytest.raises(EngineError, match=f"{shard.name}: missing"):
        CheckpointReader(folder, files)
    with pytest.raises(EngineError, match="no file of it is named"):
        CheckpointReader(folder, [])
    shutil.copy(tmp_path / "whole", shard)
    CheckpointReader(folder, files)


def test_files_of_another_attempt_are_not_looked_at(tmp_path):
    job = make_job(tmp_path, **MODEL)
    plan = make_plan(job, tp=2)
    files = write_all(tmp_path / "step", job, plan, generation=1)
    (tmp_path / "step" / shard_name(2, 0, 2)).write_bytes(b"half a shard")
    CheckpointReader(tmp_path / "step", files).load(slices_of(job, plan, 0, fill=False))


def test_a_checkpoint_of_another_model_is_refused_with_both_shapes(tmp_path):
    job = make_job(tmp_path, **MODEL)
    files = write_all(tmp_path / "step", job, make_plan(job))
    wider = make_job(tmp_path, **MODEL | {"ffn_hidden_size": 24})
    with pytest.raises(EngineError, match=r"has shape \(8, 32, 16\), the job says \(8, 32, 24\)"):
        CheckpointReader(tmp_path / "step", files).load(slices_of(wider, make_plan(wider), 0, fill=False))


def test_a_full_disk_is_one_clear_line_and_leaves_nothing_behind(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(EngineError, match=r"no space left in .*step: this rank needs 4\.0 MB and 0\.0 MB are free") as caught:
        write_shard(tmp_path / "step", shard_name(1, 0, 1), 1, [], {"x": torch.zeros(1_000_000)})
    assert not is_user_error(caught.value), "freeing space is no change of the job"
    assert list((tmp_path / "step").iterdir()) == []
