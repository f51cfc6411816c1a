"""Folders that will not do are refused in one line that names the file; imported weights train under any layout."""

import json
import os
import shutil

import pytest
import torch
from huggingface_models import job_like, llama, mixtral
from safetensors.torch import load_file, save_file
from spawn import train_standalone

from helpers import make_plan
from moestro.v1 import job_pb2
from moestro_engine.errors import UserError
from moestro_engine.huggingface.load import import_mixtral, upcycle_llama


@pytest.fixture(scope="module")
def theirs():
    return mixtral()


@pytest.fixture(scope="module")
def sharded(theirs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded") / "hf"
    theirs.save_pretrained(folder, max_shard_size="100KB")
    return folder


@pytest.fixture
def job(theirs, tmp_path):
    return job_like(theirs, tmp_path)


@pytest.fixture
def folder(sharded, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(sharded, tmp_path / "hf")


def shard_with(folder, name: str):
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    return folder / index["weight_map"][name]


def refused(job, folder, tmp_path) -> str:
    with pytest.raises(UserError) as caught:
        import_mixtral(job, folder, tmp_path / "out")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    return message


def test_a_missing_tensor(job, folder, tmp_path):
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    del content["weight_map"]["model.layers.1.block_sparse_moe.experts.2.w3.weight"]
    index.write_text(json.dumps(content))
    message = refused(job, folder, tmp_path)
    assert "holds no tensor model.layers.1.block_sparse_moe.experts.2.w3.weight" in message


def test_an_index_that_promises_what_its_file_lacks(job, folder, tmp_path):
    shard = shard_with(folder, "model.norm.weight")
    tensors = load_file(shard)
    del tensors["model.norm.weight"]
    save_file(tensors, shard)
    assert f"{shard.name}: lacks model.norm.weight" in refused(job, folder, tmp_path)


def test_a_missing_file(job, folder, tmp_path):
    shard = shard_with(folder, "lm_head.weight")
    shard.unlink()
    assert f"{shard.name}: missing" in refused(job, folder, tmp_path)


def test_a_truncated_file(job, folder, tmp_path):
    shard = shard_with(folder, "lm_head.weight")
    os.truncate(shard, shard.stat().st_size - 100)
    assert f"{shard.name}: damaged" in refused(job, folder, tmp_path)


def test_an_index_that_points_elsewhere(job, folder, tmp_path):
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.norm.weight": "../secret.safetensors"}}))
    assert "names ../secret.safetensors, which does not lie beside it" in refused(job, folder, tmp_path)


@pytest.mark.parametrize("text", ["", "[1]", '{"weight_map": 3}', '{"metadata": {}}'])
def test_an_index_that_is_none(text, job, folder, tmp_path):
    (folder / "model.safetensors.index.json").write_text(text)
    assert "is not a safetensors index" in refused(job, folder, tmp_path)


def test_a_wrong_shape_names_both(job, folder, tmp_path):
    job.model.vocab_size = 256
    message = refused(job, folder, tmp_path)
    assert "model.embed_tokens.weight has shape [300, 64], the sizes in config.json make it [256, 64]" in message


def test_more_layers_than_the_config_says(job, folder, tmp_path):
    job.model.num_layers = 1
    assert "holds model.layers.1." in refused(job, folder, tmp_path)


def test_a_dense_model_of_more_weights_than_ours(tmp_path):
    dense = llama(attention_bias=True)
    dense.save_pretrained(tmp_path / "hf")
    job = job_like(dense, tmp_path, num_experts=4, top_k=2)
    with pytest.raises(UserError, match=r"holds model\.layers\.0\.self_attn\.k_proj\.bias \(8 such\)"):
        upcycle_llama(job, tmp_path / "hf", tmp_path / "out", 1, 0.02)


def test_quantised_weights(job, theirs, tmp_path):
    folder = tmp_path / "hf"
    theirs.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] = tensors["lm_head.weight"].to(torch.float8_e4m3fn)
    save_file(tensors, folder / "model.safetensors")
    assert "lm_head.weight is float8_e4m3fn, moestro reads float32, bfloat16 and float16" in refused(job, folder, tmp_path)


def test_pickles_are_not_opened(job, tmp_path):
    folder = tmp_path / "hf"
    folder.mkdir()
    (folder / "pytorch_model-00001-of-00002.bin").write_bytes(b"\x80\x04never read")
    assert "pytorch_model-00001-of-00002.bin: is a pickle, and moestro unpickles nothing" in refused(job, folder, tmp_path)


def test_a_folder_without_weights(job, tmp_path):
    (tmp_path / "hf").mkdir()
    assert "holds neither model.safetensors nor model.safetensors.index.json" in refused(job, tmp_path / "hf", tmp_path)


TRAINED = {"sequence_length": 64, "steps": 3, "global_batch_size": 4, "warmup_steps": 1, "learning_rate": 1e-3}
LAYOUTS = {"expert data parallel, tp = ep = 2": {"tp": 2}, "two stages": {"stages": (1, 1)}}


@pytest.fixture(scope="module")
def starting_job(theirs, sharded, tmp_path_factory) -> job_pb2.EngineJob:
    job = job_like(theirs, tmp_path_factory.mktemp("cache"), **TRAINED)
    target = tmp_path_factory.mktemp("checkpoint")
    files = [file.name for file in import_mixtral(job, sharded, target).files]
    job.initial_weights.CopyFrom(job_pb2.InitialWeights(directory=str(target), files=files))
    return job


@pytest.fixture(scope="module")
def alone(starting_job, tmp_path_factory):
    return train_standalone(tmp_path_factory.mktemp("one") / "run", starting_job, make_plan(starting_job, micro_batch=1))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_training_starts_from_imported_weights_under_any_layout(layout, starting_job, alone, tmp_path):
    spread = train_standalone(tmp_path / "run", starting_job, make_plan(starting_job, micro_batch=1, **layout))
    assert [spread[step].loss for step in (1, 2, 3)] == pytest.approx([alone[step].loss for step in (1, 2, 3)], rel=1e-5)


def test_the_imported_weights_are_what_is_trained(starting_job, alone, tmp_path):
    job = job_pb2.EngineJob()
    job.CopyFrom(starting_job)
    job.ClearField("initial_weights")
    random = train_standalone(tmp_path / "run", job, make_plan(job, micro_batch=1))
    assert abs(random[1].loss - alone[1].loss) > 0.01
