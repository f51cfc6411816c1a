"""Checkpoint shards: written whole, read at any layout, never through pickle."""

import json
import os
import pickle
import shutil

import pytest
import torch
from one_process import CPU, state_of, write_all
from safetensors import safe_open

from helpers import make_job, make_plan
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.checkpoint.state import Slice, random_state, set_random_state
from moestro_engine.checkpoint.write import shard_name, write_shard
from moestro_engine.errors import EngineError, is_user_error

MODEL = {"num_layers": 3, "hidden_size": 32, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8, "ffn_hidden_size": 16}


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
    with state_of(job, plan, 1) as slices:
        reader.load(slices)
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
    with state_of(job, plan, 0) as slices:
        CheckpointReader(tmp_path / "step", files).load(slices)


def test_a_checkpoint_of_another_model_is_refused_with_both_shapes(tmp_path):
    job = make_job(tmp_path, **MODEL)
    files = write_all(tmp_path / "step", job, make_plan(job))
    wider = make_job(tmp_path, **MODEL | {"ffn_hidden_size": 24})
    told = r"experts\.w1 has shape \(8, 32, 16\), the job says \(8, 32, 24\)"
    with state_of(wider, make_plan(wider), 0) as slices, pytest.raises(EngineError, match=told):
        CheckpointReader(tmp_path / "step", files).load(slices)


def test_a_full_disk_is_one_clear_line_and_leaves_nothing_behind(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(EngineError, match=r"no space left in .*step: this rank needs 4\.0 MB and 0\.0 MB are free") as caught:
        write_shard(tmp_path / "step", shard_name(1, 0, 1), 1, [], {"x": torch.zeros(1_000_000)})
    assert not is_user_error(caught.value), "freeing space is no change of the job"
    assert list((tmp_path / "step").iterdir()) == []


def boxes(offsets_and_shapes, whole, dtype=torch.float32) -> list[Slice]:
    return [
        Slice("w", whole[tuple(slice(o, o + n) for o, n in zip(*box, strict=True))].to(dtype), tuple(whole.shape), box[0], True)
        for box in offsets_and_shapes
    ]


def test_several_boxes_of_one_tensor_lie_in_one_file_and_are_read_by_any_cut(tmp_path):
    whole = torch.arange(20.0).view(5, 4)
    # Values 2 to 13 in one rank's file, the others in another's, as shards of flat buffers are.
    middle = boxes([((0, 2), (1, 2)), ((1, 0), (2, 4)), ((3, 0), (1, 1))], whole)
    ends = boxes([((0, 0), (1, 2)), ((3, 1), (1, 3)), ((4, 0), (1, 4))], whole)
    files = [write_shard(tmp_path, shard_name(1, rank, 2), 1, parts, {}).name for rank, parts in enumerate((middle, ends))]
    with safe_open(tmp_path / files[0], "pt") as shard:
        assert sorted(shard.keys()) == ["w@0,2", "w@1,0", "w@3,0"]
    for cut in ([((0, 0), (5, 4))], [((2, 1), (2, 2)), ((0, 0), (1, 4))]):
        wanted = boxes(cut, torch.zeros(5, 4))
        CheckpointReader(tmp_path, files).load(wanted)
        assert all(torch.equal(part.tensor, right.tensor) for part, right in zip(wanted, boxes(cut, whole), strict=True))


def test_values_are_read_into_the_type_they_are_wanted_in(tmp_path):
    whole = torch.randn(3, 4).bfloat16()
    file = write_shard(tmp_path, shard_name(1, 0, 1), 1, boxes([((0, 0), (3, 4))], whole, torch.bfloat16), {})
    wanted = boxes([((1, 0), (2, 4))], torch.zeros(3, 4))
    CheckpointReader(tmp_path, [file.name]).load(wanted)
    assert torch.equal(wanted[0].tensor, whole[1:].float())


def test_values_that_no_file_has_are_counted(tmp_path):
    file = write_shard(tmp_path, shard_name(1, 0, 2), 1, boxes([((0, 0), (2, 4))], torch.ones(5, 4)), {})
    with pytest.raises(EngineError, match=r"w has 8 of 20 values; use an older one"):
        CheckpointReader(tmp_path, [file.name]).load(boxes([((0, 0), (5, 4))], torch.zeros(5, 4)))


def test_a_file_of_one_box_a_tensor_is_what_it_always_was(tmp_path):
    """Shards that were written before a rank could hold several boxes have this header, and are read by it."""
    file = write_shard(tmp_path, shard_name(1, 0, 1), 5, boxes([((1, 0), (2, 4))], torch.ones(5, 4)), {"x": torch.ones(1)})
    with safe_open(tmp_path / file.name, "pt") as shard:
        assert sorted(shard.keys()) == ["w", "x"]
        said = json.loads(shard.metadata()["moestro"])
    assert said == {"format": "moestro-1", "step": 5, "slices": {"w": {"shape": [5, 4], "offsets": [1, 0]}}}
