"""Weights to and from Transformers: the same logits and gradients there and here, in both directions."""

import re
from pathlib import Path

import pytest
import torch
from huggingface_models import job_like, llama, mixtral, our_loss, our_model, their_loss, tokens
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaForCausalLM, MixtralForCausalLM

from moestro.v1 import job_pb2
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.checkpoint.state import Slice
from moestro_engine.checkpoint.write import write_shard
from moestro_engine.errors import UserError
from moestro_engine.huggingface.config import config_of
from moestro_engine.huggingface.export import export_model
from moestro_engine.huggingface.folder import ModelFolder
from moestro_engine.huggingface.load import import_mixtral, upcycle_llama
from moestro_engine.huggingface.names import parameters_of
from moestro_engine.huggingface.read import read_parameter
from moestro_engine.model.transformer import StageModel

# Both sides compute in fp32 and add up in different orders.
TOLERANCE = 1e-4


def imported(job: job_pb2.EngineJob, source: Path, target: Path) -> CheckpointReader:
    shards = import_mixtral(job, source, target)
    return CheckpointReader(target, [file.name for file in shards.files])


def checkpoint_of(model: StageModel, folder: Path) -> CheckpointReader:
    """What a training run would have left of a model's weights."""
    slices = [
        Slice(f"model.{name}", tensor.detach(), tuple(tensor.shape), (0,) * tensor.dim(), True)
        for name, tensor in model.named_parameters()
    ]
    return CheckpointReader(folder, [write_shard(folder, "all.safetensors", 5, slices, {}).name])


def assert_same_logits_and_gradients(ours: StageModel, theirs, job: job_pb2.EngineJob, scratch: Path) -> None:
    token_BS = tokens(job.model.vocab_size)
    with torch.no_grad():
        torch.testing.assert_close(ours(token_BS[:, :-1]), theirs(token_BS[:, :-1]).logits, rtol=0, atol=TOLERANCE)
    our_loss(ours, token_BS).backward()
    their_loss(theirs, token_BS).backward()
    # Gradients have the shapes of weights: what reads weights reads them.
    scratch.mkdir()
    gradients = {name: parameter.grad.contiguous() for name, parameter in theirs.named_parameters()}
    save_file(gradients, scratch / "model.safetensors")
    folder = ModelFolder(scratch)
    family = theirs.config.model_type
    compared = 0
    for parameter in parameters_of(job, family):
        gradient = ours.get_parameter(parameter.name).grad
        if not parameter.theirs:
            continue
        expected = read_parameter(folder, parameter)
        assert expected.abs().max() > TOLERANCE, f"{parameter.name}: too small to compare"
        torch.testing.assert_close(gradient, expected, rtol=0, atol=TOLERANCE, msg=lambda m, n=parameter.name: f"{n}: {m}")
        compared += 1
    # Norm, head, embedding (one of them when tied), and ten of a layer (all but the router where there is none).
    top = 2 if job.model.tied_embeddings else 3
    assert compared == top + (10 if family == "mixtral" else 9) * job.model.num_layers


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_an_imported_mixtral_has_the_logits_and_gradients_that_transformers_has(tied, tmp_path):
    theirs = mixtral(tie_word_embeddings=tied)
    theirs.save_pretrained(tmp_path / "hf")
    job = job_like(theirs, tmp_path)
    ours = our_model(job, imported(job, tmp_path / "hf", tmp_path / "checkpoint"))
    assert_same_logits_and_gradients(ours, theirs, job, tmp_path / "gradients")


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_an_exported_model_has_the_logits_and_gradients_here_that_it_has_in_transformers(tied, tmp_path):
    job = job_like(mixtral(tie_word_embeddings=tied), tmp_path, init_std=0.15)
    ours = our_model(job)
    export_model(job, checkpoint_of(ours, tmp_path / "checkpoint"), tmp_path / "hf", "float32")
    theirs, notes = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", output_loading_info=True)
    assert isinstance(theirs, MixtralForCausalLM)
    assert not any(notes.values()), notes
    assert_same_logits_and_gradients(ours, theirs.eval(), job, tmp_path / "gradients")


def test_there_and_back_is_bit_equal_whatever_the_number_of_files(tmp_path):
    theirs = mixtral()
    theirs.save_pretrained(tmp_path / "hf", max_shard_size="100KB")
    assert len(list((tmp_path / "hf").glob("*.safetensors"))) > 3
    job = job_like(theirs, tmp_path)
    shards = import_mixtral(job, tmp_path / "hf", tmp_path / "checkpoint", max_file_bytes=100_000)
    assert len(shards.files) > 3
    reader = CheckpointReader(tmp_path / "checkpoint", [file.name for file in shards.files])
    export_model(job, reader, tmp_path / "back", "float32", max_file_bytes=100_000)
    assert len(list((tmp_path / "back").glob("*.safetensors"))) > 3
    before, after = ModelFolder(tmp_path / "hf"), ModelFolder(tmp_path / "back")
    assert after.names == before.names
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "back")
    for (name, tensor), expected in zip(again.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(tensor, expected), name


def test_the_fused_experts_of_transformers_in_memory_are_read_as_the_ones_on_disk(tmp_path):
    theirs = mixtral()
    theirs.save_pretrained(tmp_path / "disk")
    (tmp_path / "memory").mkdir()
    save_file(
        {name: tensor.contiguous() for name, tensor in theirs.state_dict().items()}, tmp_path / "memory" / "model.safetensors"
    )
    job = job_like(theirs, tmp_path)
    disk, memory = (our_model(job, imported(job, tmp_path / kind, tmp_path / f"{kind}-out")) for kind in ("disk", "memory"))
    for (name, tensor), expected in zip(disk.named_parameters(), memory.parameters(), strict=True):
        assert torch.equal(tensor, expected), name


def test_bf16_weights_stay_bf16_and_come_back_bit_equal(tmp_path):
    theirs = mixtral().to(torch.bfloat16)
    theirs.save_pretrained(tmp_path / "hf")
    job = job_like(theirs, tmp_path)
    reader = imported(job, tmp_path / "hf", tmp_path / "checkpoint")
    size = sum(path.stat().st_size for path in (tmp_path / "checkpoint").iterdir())
    assert size < 2.1 * sum(p.numel() for p in theirs.parameters())
    export_model(job, reader, tmp_path / "back", "bfloat16")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "back")
    assert again.dtype == torch.bfloat16
    for (name, tensor), expected in zip(again.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(tensor, expected), name


@pytest.mark.parametrize(("experts", "top_k", "normalization"), [(4, 2, 0.0), (16, 2, 1.0), (3, 3, 0.0), (4, 1, 0.5)])
def test_an_upcycled_model_computes_what_the_dense_one_did(experts, top_k, normalization, tmp_path):
    dense = llama()
    dense.save_pretrained(tmp_path / "hf")
    job = job_like(dense, tmp_path, num_experts=experts, top_k=top_k, gate_normalization=normalization)
    shards = upcycle_llama(job, tmp_path / "hf", tmp_path / "checkpoint", seed=1, router_std=0.02)
    ours = our_model(job, CheckpointReader(tmp_path / "checkpoint", [file.name for file in shards.files]))
    router = ours.layers["0"].moe.gate.projection.weight
    assert router.std().item() == pytest.approx(0.02, rel=0.2)
    assert not torch.equal(router, ours.layers["1"].moe.gate.projection.weight)
    token_BS = tokens(dense.config.vocab_size)[:, :-1]
    with torch.no_grad():
        torch.testing.assert_close(ours(token_BS), dense(token_BS).logits, rtol=0, atol=1e-5)


def test_an_upcycled_models_router_follows_its_seed(tmp_path):
    dense = llama()
    dense.save_pretrained(tmp_path / "hf")
    job = job_like(dense, tmp_path, num_experts=4, top_k=2)
    files = [upcycle_llama(job, tmp_path / "hf", tmp_path / str(i), seed, 0.02).files for i, seed in enumerate((1, 1, 2))]
    first, again, other = (file.sha256 for (file,) in files)
    assert first == again != other


def test_a_model_of_one_expert_is_exported_as_the_llama_it_is(tmp_path):
    job = job_like(llama(), tmp_path, init_std=0.15)
    ours = our_model(job)
    export_model(job, checkpoint_of(ours, tmp_path / "checkpoint"), tmp_path / "hf", "float32")
    theirs, notes = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", output_loading_info=True)
    assert isinstance(theirs, LlamaForCausalLM)
    assert not any(notes.values()), notes
    assert_same_logits_and_gradients(ours, theirs.eval(), job, tmp_path / "gradients")


def test_a_gate_bias_of_zeros_is_left_out_and_another_is_refused(tmp_path):
    job = job_like(mixtral(), tmp_path, gate_without_bias=False)
    ours = our_model(job)
    export_model(job, checkpoint_of(ours, tmp_path / "zero"), tmp_path / "hf", "float32")
    with torch.no_grad():
        ours.layers["1"].moe.gate.projection.bias[2] = 0.1
    with pytest.raises(UserError, match=r"^layers\.1\.moe\.gate\.projection\.bias: .* model\.routerBias: false can be exported$"):
        export_model(job, checkpoint_of(ours, tmp_path / "one"), tmp_path / "refused", "float32")
    assert not (tmp_path / "refused").exists()


UNLIKE_MIXTRAL = {
    "moe.gateNormalization: 1": {"gate_normalization": 1.0},
    "moe.gateFunction: sigmoid": {"gate_function": job_pb2.GATE_FUNCTION_SIGMOID},
    "moe.renormalize: false": {"without_renormalization": True},
    "moe.balancing: bias": {"selection_bias": True},
    "model.sharedFfnHiddenSize: 8": {"shared_ffn_hidden_size": 8},
}


@pytest.mark.parametrize(("setting", "changes"), UNLIKE_MIXTRAL.items(), ids=UNLIKE_MIXTRAL.keys())
def test_what_mixtrals_format_cannot_say_is_refused_in_one_line(setting, changes, tmp_path):
    job = job_like(mixtral(), tmp_path, **changes)
    name = re.escape(setting.split(":")[0])
    with pytest.raises(
        UserError, match=rf"^{re.escape(setting)}, and Mixtral .*; only a model trained with {name}: \w+ can be exported$"
    ):
        config_of(job, "float32")


def test_dense_layers_are_refused(tmp_path):
    job = job_like(mixtral(), tmp_path)
    job.model.dense_layers[:] = [0, 2]
    with pytest.raises(UserError, match=r"^model\.denseLayers: 0, 2, and Mixtral .* model\.denseLayers: 0 can be exported$"):
        config_of(job, "float32")


def test_a_lone_experts_gate_does_not_matter_unless_its_sigmoid_is_the_weight(tmp_path):
    sigmoid = {"num_experts": 1, "top_k": 1, "gate_function": job_pb2.GATE_FUNCTION_SIGMOID}
    assert config_of(job_like(mixtral(), tmp_path, **sigmoid), "float32")["model_type"] == "llama"
    with pytest.raises(UserError, match=r"^moe\.gateFunction: sigmoid, and Llama "):
        config_of(job_like(mixtral(), tmp_path, **sigmoid, without_renormalization=True), "float32")


def test_an_import_into_a_gate_with_a_bias_starts_it_at_zero(tmp_path):
    theirs = mixtral()
    theirs.save_pretrained(tmp_path / "hf")
    job = job_like(theirs, tmp_path, gate_without_bias=False)
    ours = our_model(job, imported(job, tmp_path / "hf", tmp_path / "checkpoint"))
    assert not ours.layers["0"].moe.gate.projection.bias.any()
