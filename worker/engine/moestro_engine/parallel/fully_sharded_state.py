"""FSDP2: weights, gradients and moments of every layer cut over the data-parallel ranks, gathered while it runs.

Experts are cut over their own data-parallel ranks, everything else over those of attention.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, Shard

from moestro.v1 import job_pb2
from moestro_engine.checkpoint.state import Slice
from moestro_engine.parallel.groups import Group, Groups
from moestro_engine.parallel.parallelize import Chunk, fill
from moestro_engine.parallel.pieces import Piece, make_optimizer, set_optimizer_step, slices_of, squared_norm, step_optimizer
from moestro_engine.parallel.placement import Kind


class FullyShardedState:
    """Master weights are the shards, fp32; products use ``dtype``, and gradients are summed in fp32."""

    def __init__(
        self, chunks: Sequence[Chunk], job: job_pb2.EngineJob, groups: Groups, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._groups = groups
        self._chunks = chunks
        self._device = device
        dense = DeviceMesh.from_group(groups.dense_dp, device.type)
        experts = DeviceMesh.from_group(groups.expert_dp, device.type)
        policy = MixedPrecisionPolicy(param_dtype=None if dtype == torch.float32 else dtype, reduce_dtype=torch.float32)
        for chunk in chunks:
            _shard_chunk(chunk, job, dense, experts, policy, device)
        self._pieces = [piece for chunk in chunks for piece in _pieces_of(chunk)]
        self._sharded = [parameter for chunk in chunks for parameter in _with_values(chunk)]
        self._optimizer = make_optimizer(self._pieces, job.training)

    def zero_gradients(self) -> None:
        for parameter in self._sharded:
            parameter.grad = None

    def collect_gradients(self) -> None:
        """FSDP2 adds up in fp32 by itself."""

    def reduce_gradients(self) -> None:
        """The sum over data-parallel ranks came with the last backward pass; left are those over tp and tied ends."""
        for piece, parameter in zip(self._pieces, self._sharded, strict=True):
            if parameter.grad is None:
                piece.weight.grad = torch.zeros_like(piece.weight)
            else:
                piece.weight.grad = parameter.grad.to_local().reshape(-1)
        self._sum(("tied", "replicated"), self._groups.tp)
        self._sum(("kv",), self._groups.kv)
        self._sum(("tied",), self._groups.tied)

    def squared_norm_share(self) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for piece in self._pieces:
            total += squared_norm(piece.weight.grad) / piece.num_replicas
        return total

    def clip(self, norm: float, max_norm: float) -> None:
        if self._pieces and 0 < max_norm < norm:
            torch._foreach_mul_([piece.weight.grad for piece in self._pieces], max_norm / norm)

    def update(self, rate: float) -> None:
        step_optimizer(self._optimizer, rate)

    def publish(self) -> None:
        """Shards are the only copy: whoever needs a weight gathers it."""

    def slices(self) -> list[Slice]:
        return slices_of(self._pieces, self._optimizer)

    def set_step(self, step: int) -> None:
        set_optimizer_step(self._optimizer, step)

    def _sum(self, kinds: tuple[Kind, ...], group: Group) -> None:
        """Over the group, in one collective."""
        parts = [piece.weight.grad for piece in self._pieces if piece.placed.kind in kinds]
        if group is None or not parts:
            return
        flat = torch.cat(parts)
        dist.all_reduce(flat, group=group)
        for part, summed in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
            part.copy_(summed)


def _shard_chunk(
    chunk: Chunk,
    job: job_pb2.EngineJob,
    dense: DeviceMesh,
    experts: DeviceMesh,
    policy: MixedPrecisionPolicy,
    device: torch.device,
) -> None:
    """Fill and cut unit by unit, so that at most one is ever whole."""
    for layer in chunk.model.layers.values():
        fill(chunk, job, device, within=layer)
        if layer.moe is not None:
            shard = _expert_placement(experts.size())
            _fully_shard(layer.moe.experts, mesh=experts, mp_policy=policy, shard_placement_fn=shard)
            for method in ("even", "ragged"):
                register_fsdp_forward_method(layer.moe.experts, method)
        _fully_shard(layer, mesh=dense, mp_policy=policy)
    fill(chunk, job, device)
    _fully_shard(chunk.model, mesh=dense, mp_policy=policy)


def _fully_shard(module: nn.Module, **settings) -> None:
    fully_shard(module, **settings)
    # The loss is divided by all tokens already, so gradients are added up, which gloo can do too.
    module.set_gradient_divide_factor(1.0)
    module.set_force_sum_reduction_for_comms(True)


def _expert_placement(num_ranks: int):
    """Along the width of each matrix where it divides, as there may be fewer experts than ranks."""
    return lambda parameter: Shard(1) if parameter.shape[1] % num_ranks == 0 else Shard(0)


def _with_values(chunk: Chunk) -> Iterator[DTensor]:
    """The parameters of which some part lies here; the last shards of a small one may be empty."""
    for parameter in chunk.model.parameters():
        if parameter.to_local().numel() > 0:
            yield parameter


def _pieces_of(chunk: Chunk) -> Iterator[Piece]:
    for name, parameter in chunk.model.named_parameters():
        local = parameter.detach().to_local()
        if local.numel() == 0:
            continue
        placed = chunk.placements[name]
        dim = parameter.placements[0].dim
        size = -(-placed.local_shape[dim] // placed.dp_size)
        offsets = [o + (i == dim) * placed.dp_rank * size for i, o in enumerate(placed.offsets)]
        box = tuple(offsets), tuple(local.shape)
        yield Piece(placed, (box,), nn.Parameter(local.view(-1)), placed.copies, placed.copy)
