"""Turn the single-device stage model into this rank's share of it, in a fixed order."""

from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import nn

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.exchange import ExpertGroups
from moestro_engine.model.initialize import initial_tensor
from moestro_engine.model.transformer import StageModel
from moestro_engine.parallel.check_plan import stage_ranks
from moestro_engine.parallel.clock import Clock, Host, make_clock
from moestro_engine.parallel.collectives import AnyGroup, LocalGroup, TensorGroup
from moestro_engine.parallel.groups import Group, Groups
from moestro_engine.parallel.mesh import Mesh
from moestro_engine.parallel.placement import Placed, place


@dataclass(frozen=True)
class Links:
    """The groups that a model's layers talk over; on one rank nothing is sent."""

    tp: AnyGroup = field(default_factory=LocalGroup)
    cp: AnyGroup = field(default_factory=LocalGroup)
    # Ranks that a micro-batch is spread over.
    sequence: AnyGroup = field(default_factory=LocalGroup)
    experts: ExpertGroups = field(default_factory=ExpertGroups)
    # Runs while their collectives do.
    clock: Clock = field(default_factory=lambda: Clock(Host()))


def link(groups: Groups, device: torch.device) -> Links:
    """The groups of this rank with a clock of their own."""
    clock = make_clock(device)

    def wrap(group: Group) -> AnyGroup:
        return LocalGroup() if group is None or dist.get_world_size(group) == 1 else TensorGroup(group, clock)

    experts = ExpertGroups(wrap(groups.ep), wrap(groups.etp))
    return Links(wrap(groups.tp), wrap(groups.cp), wrap(groups.sequence), experts, clock)


@dataclass(frozen=True)
class Chunk:
    """One stage of the plan as this rank holds it. The model has no weights until ``fill`` or a state gives it some."""

    index: int
    stage: plan_pb2.Stage
    model: StageModel
    # By the parameter's name in the model.
    placements: dict[str, Placed]
    links: Links


def build_chunk(job: job_pb2.EngineJob, plan: plan_pb2.Plan, mesh: Mesh, index: int, links: Links, device: torch.device) -> Chunk:
    """Stage ``index`` of the plan, its parameters still without memory.

    Embedding and head are replicated over the tensor-parallel group and work on the rank's slice of
    the sequence, which costs no communication in the forward pass.
    """
    stage = plan.stages[index]
    # 1. The whole stage, as for one device, without memory.
    with torch.device("meta"):
        model = StageModel(job, stage)
    # 2. Where each parameter is cut.
    ranks = stage_ranks(plan)
    is_end = index in (0, len(ranks) - 1)
    tied_end = int(index > 0) if job.model.tied_embeddings and ranks[0] != ranks[-1] and is_end else None
    placements = {
        name: place(name, tuple(p.shape), job, mesh, tied_end if name in ("embedding.weight", "head.weight") else None)
        for name, p in model.named_parameters()
    }
    # 3. Attention and dense FFNs gather and scatter the sequence, experts exchange tokens.
    for layer in model.layers.values():
        layer.attention.group, layer.attention.context = links.tp, links.cp
        if layer.ffn is not None:
            layer.ffn.group = links.tp
        if layer.moe is not None:
            layer.moe.group = links.experts
            if layer.moe.shared is not None:
                layer.moe.shared.group = links.tp
    # 4. The gates' sums meet over the ranks that share a micro-batch.
    balance = StepBalance(stage.num_layers, job.moe, 1 / (plan.num_micro_batches * mesh.dp), device)
    balance.group = links.sequence
    model.prepare(job.training.sequence_length, balance, device)
    return Chunk(index, stage, model, placements, links)


def fill(chunk: Chunk, job: job_pb2.EngineJob, device: torch.device, within: nn.Module | None = None) -> None:
    """Give parameters that have no memory this rank's slice of their initial values, fp32; of a submodule or all."""
    wanted = None if within is None else {id(parameter) for parameter in within.parameters()}
    for name, parameter in list(chunk.model.named_parameters()):
        if parameter.is_meta and (wanted is None or id(parameter) in wanted):
            set_parameter(chunk.model, name, nn.Parameter(initial_tensor(chunk.placements[name], job).to(device)))


def set_parameter(model: StageModel, name: str, parameter: nn.Parameter) -> None:
    """Replace a parameter by another; the head follows the embedding where a stage holds both ends of tied weights."""
    path, _, leaf = name.rpartition(".")
    before = model.get_parameter(name)
    if name == "embedding.weight" and model.head is not None and model.head.weight is before:
        model.head.weight = parameter
    setattr(model.get_submodule(path), leaf, parameter)
