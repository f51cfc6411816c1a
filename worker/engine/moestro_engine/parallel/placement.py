"""Which slice of every parameter a rank holds, as data: read by sharding, gradients and checkpoints."""

from dataclasses import dataclass
from typing import Literal

import torch

from moestro.v1 import job_pb2
from moestro_engine.parallel.mesh import Mesh

# replicated: whole on every rank of the tensor-parallel group, each sees its part of the sequence.
# tied: replicated, and once more on the other end of the pipeline.
# kv: cut by key-value heads, each slice on tp / heads ranks when there are more ranks than heads.
# tensor: cut by heads. expert: cut by experts.
Kind = Literal["replicated", "tied", "kv", "tensor", "expert"]


@dataclass(frozen=True)
class Placed:
    """One parameter of the whole model and the slice of it that lies here: cut along one dim at most."""

    name: str
    kind: Kind
    global_shape: tuple[int, ...]
    dim: int
    start: int
    length: int
    # On how many ranks this very slice lies, and which of them this is.
    num_replicas: int
    replica: int

    @property
    def local_shape(self) -> tuple[int, ...]:
        return (*self.global_shape[: self.dim], self.length, *self.global_shape[self.dim + 1 :])

    @property
    def offsets(self) -> tuple[int, ...]:
        return tuple(self.start if dim == self.dim else 0 for dim in range(len(self.global_shape)))

    def slice_of(self, full: torch.Tensor) -> torch.Tensor:
        return full.narrow(self.dim, self.start, self.length)


def place(name: str, shape: tuple[int, ...], job: job_pb2.EngineJob, mesh: Mesh) -> Placed:
    """Where a parameter of the stage model lies on this rank, by its name."""
    if "experts." in name:
        return _cut(name, "expert", shape, 0, mesh.ep, mesh.tp_rank, mesh.expert_dp, mesh.dp_rank)
    if name.endswith("wq.weight"):
        return _cut(name, "tensor", shape, 0, mesh.tp, mesh.tp_rank, mesh.dp, mesh.dp_rank)
    if name.endswith("wo.weight"):
        return _cut(name, "tensor", shape, 1, mesh.tp, mesh.tp_rank, mesh.dp, mesh.dp_rank)
    if name.endswith(("wk.weight", "wv.weight")):
        parts = min(mesh.tp, job.model.num_kv_heads)
        copies = mesh.tp // parts
        replica = mesh.dp_rank * copies + mesh.tp_rank % copies
        return _cut(name, "kv", shape, 0, parts, mesh.tp_rank // copies, copies * mesh.dp, replica)
    replica = mesh.dp_rank * mesh.tp + mesh.tp_rank
    num_replicas = mesh.tp * mesh.dp
    if job.model.tied_embeddings and name in ("embedding.weight", "head.weight") and mesh.pp > 1:
        on_last = mesh.pp_rank == mesh.pp - 1
        return Placed("embedding.weight", "tied", shape, 0, 0, shape[0], 2 * num_replicas, replica + on_last * num_replicas)
    return Placed(name, "replicated", shape, 0, 0, shape[0], num_replicas, replica)


def _cut(name: str, kind: Kind, shape, dim: int, parts: int, part: int, num_replicas: int, replica: int) -> Placed:
    length = shape[dim] // parts
    return Placed(name, kind, shape, dim, part * length, length, num_replicas, replica)
