"""Tiny Transformers models with random weights, and our model on one rank, for tests of weights that go between them."""

from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM, PreTrainedModel

from helpers import make_job, make_plan
from moestro.v1 import job_pb2
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.checkpoint.state import Slice
from moestro_engine.model.transformer import StageModel
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.parallel.parallelize import Links, build_chunk, fill

SIZES = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 5e4},
    # Large enough that routers, norms and attention all matter.
    "initializer_range": 0.15,
}
LENGTH = 32


def mixtral(**changes) -> PreTrainedModel:
    torch.manual_seed(3)
    model = MixtralForCausalLM(MixtralConfig(**SIZES | {"num_local_experts": 4, "num_experts_per_tok": 2} | changes))
    return with_random_norms(model)


def llama(**changes) -> PreTrainedModel:
    torch.manual_seed(4)
    return with_random_norms(LlamaForCausalLM(LlamaConfig(**SIZES | changes)))


def with_random_norms(model: PreTrainedModel) -> PreTrainedModel:
    """Norm weights of one would hide a swap of the two."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.uniform_(0.5, 1.5)
    return model.eval()


def job_like(model: PreTrainedModel, cache: Path, **changes) -> job_pb2.EngineJob:
    """The job of the model that Transformers has built; what a dense one lacks is in ``changes``."""
    config = model.config
    sizes = {
        "num_layers": config.num_hidden_layers,
        "hidden_size": config.hidden_size,
        "num_heads": config.num_attention_heads,
        "num_kv_heads": config.num_key_value_heads,
        "head_dim": config.hidden_size // config.num_attention_heads,
        "ffn_hidden_size": config.intermediate_size,
        "vocab_size": config.vocab_size,
        "rope_theta": config.rope_parameters["rope_theta"],
        "rms_norm_epsilon": config.rms_norm_eps,
        "tied_embeddings": config.tie_word_embeddings,
        "num_experts": getattr(config, "num_local_experts", 1),
        "top_k": getattr(config, "num_experts_per_tok", 1),
        "capacity_factor": 0.0,
        "gate_normalization": 0.0,
        "gate_without_bias": True,
        "sequence_length": LENGTH,
    }
    return make_job(cache, **sizes | changes)


def our_model(job: job_pb2.EngineJob, reader: CheckpointReader | None = None) -> StageModel:
    """The whole model on one rank, dropless and without auxiliary loss, with the weights of a checkpoint."""
    plan, cpu = make_plan(job), torch.device("cpu")
    chunk = build_chunk(job, plan, mesh_of(plan, 0), 0, Links(), cpu)
    fill(chunk, job, cpu)
    model = chunk.model
    if reader is not None:
        reader.load(
            [
                Slice(f"model.{p.name}", model.get_parameter(n).detach(), p.global_shape, p.offsets, False)
                for n, p in chunk.placements.items()
            ]
        )
    return model.eval()


def tokens(vocab_size: int, batch: int = 3) -> torch.Tensor:
    """[B, LENGTH + 1], the same at every call."""
    return torch.randint(vocab_size, (batch, LENGTH + 1), generator=torch.Generator().manual_seed(11))


def our_loss(model: StageModel, token_BS: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(model(token_BS[:, :-1]).flatten(0, 1), token_BS[:, 1:].flatten())


def their_loss(model: PreTrainedModel, token_BS: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(model(token_BS[:, :-1]).logits.flatten(0, 1), token_BS[:, 1:].flatten())
