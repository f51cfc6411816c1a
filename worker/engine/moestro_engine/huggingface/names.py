"""What our parameters are called in Hugging Face's files, and how they lie in them.

Their matrices are [out, in] throughout; ours are too, except the experts' stacked [E, in, out].
"""

from dataclasses import dataclass
from typing import Literal

import torch

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.model.transformer import StageModel

Family = Literal["mixtral", "llama"]

_TOP = {
    "embedding.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}
_IN_LAYER = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention.wq.weight": "self_attn.q_proj.weight",
    "attention.wk.weight": "self_attn.k_proj.weight",
    "attention.wv.weight": "self_attn.v_proj.weight",
    "attention.wo.weight": "self_attn.o_proj.weight",
    "moe_norm.weight": "post_attention_layernorm.weight",
}
_ROUTER = {"mixtral": {"moe.gate.projection.weight": "block_sparse_moe.gate.weight"}, "llama": {}}
_EXPERTS = {
    "mixtral": {f"moe.experts.{w}": f"block_sparse_moe.experts.{{expert}}.{w}.weight" for w in ("w1", "w3", "w2")},
    # A dense layer's one feed-forward network is every expert.
    "llama": {
        "moe.experts.w1": "mlp.gate_proj.weight",
        "moe.experts.w3": "mlp.up_proj.weight",
        "moe.experts.w2": "mlp.down_proj.weight",
    },
}


@dataclass(frozen=True)
class Parameter:
    """One of our parameters and the tensors of theirs that hold it."""

    name: str
    shape: tuple[int, ...]
    # One tensor, or for experts one an expert; none where the family has no counterpart.
    theirs: tuple[str, ...]
    is_experts: bool

    @property
    def their_shape(self) -> tuple[int, ...]:
        """Shape of each of their tensors."""
        return self.shape[:0:-1] if self.is_experts else self.shape


def parameters_of(job: job_pb2.EngineJob, family: Family) -> list[Parameter]:
    """All parameters of the job's model, a tied head not counted twice."""
    stage = plan_pb2.Stage(
        num_layers=job.model.num_layers,
        has_embedding=True,
        has_head=True,
        recompute=[plan_pb2.RECOMPUTE_NONE] * job.model.num_layers,
        experts_per_rank=job.moe.num_experts,
    )
    with torch.device("meta"):
        model = StageModel(job, stage)
    return [_parameter(name, tuple(tensor.shape), family) for name, tensor in model.named_parameters()]


def _parameter(name: str, shape: tuple[int, ...], family: Family) -> Parameter:
    if name in _TOP:
        return Parameter(name, shape, (_TOP[name],), False)
    _, layer, rest = name.split(".", 2)
    prefix = f"model.layers.{layer}."
    if rest in _EXPERTS[family]:
        template = prefix + _EXPERTS[family][rest]
        theirs = [template.format(expert=expert) for expert in range(shape[0])]
        return Parameter(name, shape, tuple(dict.fromkeys(theirs)), True)
    theirs = (_IN_LAYER | _ROUTER[family]).get(rest)
    return Parameter(name, shape, () if theirs is None else (prefix + theirs,), False)
