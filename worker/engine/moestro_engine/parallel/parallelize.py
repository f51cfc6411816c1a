"""Turn the single-device stage model into this rank's share of it, in a fixed order."""

import torch
from torch import nn

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.initialize import initial_tensor
from moestro_engine.model.transformer import StageModel
from moestro_engine.parallel.collectives import AnyGroup
from moestro_engine.parallel.mesh import Mesh
from moestro_engine.parallel.placement import Placed, place


def build_stage(
    job: job_pb2.EngineJob, plan: plan_pb2.Plan, mesh: Mesh, group: AnyGroup, device: torch.device
) -> tuple[StageModel, dict[str, Placed]]:
    """The stage's model with this rank's weights, and where each parameter (by its name in the model) lies.

    Embedding and head are replicated over the tensor-parallel group and work on the rank's slice of
    the sequence, which costs no communication in the forward pass.
    """
    stage = plan.stages[mesh.pp_rank]
    # 1. The whole stage, as for one device, without memory.
    with torch.device("meta"):
        model = StageModel(job, stage)
    # 2. Cut every parameter to this rank's slice and fill it.
    placements = {name: place(name, tuple(p.shape), job, mesh) for name, p in model.named_parameters()}
    for name, placed in placements.items():
        _set_parameter(model, name, nn.Parameter(initial_tensor(placed, job).to(device)))
    if job.model.tied_embeddings and model.embedding is not None and model.head is not None:
        model.head.weight = model.embedding.weight
    # 3. Attention gathers and scatters the sequence, experts exchange tokens, inside one group (EDP).
    for layer in model.layers.values():
        layer.attention.group = group
        layer.moe.group = group
    # 4. The gates' sums meet in the same group: a micro-batch is spread over it.
    balance = StepBalance(stage.num_layers, job.moe, 1 / (plan.num_micro_batches * mesh.dp), device)
    balance.group = group
    model.prepare(job.training.sequence_length, balance, device)
    return model, placements


def _set_parameter(model: nn.Module, name: str, parameter: nn.Parameter) -> None:
    path, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(path), leaf, parameter)
