"""Which box of every parameter a rank holds, as data: read by sharding, gradients and checkpoints."""

from dataclasses import dataclass
from math import prod
from typing import Literal

import torch

from moestro.v1 import job_pb2
from moestro_engine.parallel.mesh import Mesh

# tied: replicated, and once more on the other end of the pipeline.
# replicated: whole on every rank of the stage, each sees its part of the tokens.
# kv: cut by key-value heads, each slice on tp / heads ranks when there are more ranks than heads.
# tensor: cut over tp, by heads or by columns of a dense FFN.
# expert: cut by experts over ep and by their columns over etp.
Kind = Literal["tied", "replicated", "kv", "tensor", "expert"]
KINDS: tuple[Kind, ...] = ("tied", "replicated", "kv", "tensor", "expert")

# Weights [out, in] that tensor parallelism cuts by outputs, and those that it cuts by inputs.
_COLUMN = (".wq.weight", ".shared.w1.weight", ".shared.w3.weight", ".ffn.w1.weight", ".ffn.w3.weight")
_ROW = (".wo.weight", ".shared.w2.weight", ".ffn.w2.weight")


@dataclass(frozen=True)
class Placed:
    """One parameter of the whole model and the box of it that lies here."""

    name: str
    kind: Kind
    global_shape: tuple[int, ...]
    offsets: tuple[int, ...]
    local_shape: tuple[int, ...]
    # On how many ranks this very box lies besides the data-parallel ones, and which of them this is.
    copies: int
    copy: int
    # The same over the data-parallel ranks that share it.
    dp_size: int
    dp_rank: int

    @property
    def num_replicas(self) -> int:
        return self.copies * self.dp_size

    @property
    def numel(self) -> int:
        return prod(self.local_shape)

    def slice_of(self, full: torch.Tensor) -> torch.Tensor:
        return full[tuple(slice(o, o + n) for o, n in zip(self.offsets, self.local_shape, strict=True))]


def place(name: str, shape: tuple[int, ...], job: job_pb2.EngineJob, mesh: Mesh, tied_end: int | None = None) -> Placed:
    """Where a parameter of the stage model lies on this rank, by its name.

    ``tied_end`` is 0 or 1 for the two copies of tied embeddings on different ranks, else None.
    """
    dense_dp = mesh.cp * mesh.dp, mesh.dp_rank * mesh.cp + mesh.cp_rank
    if ".experts." in name:
        width = 1 if name.endswith("w2") else 2
        cuts = {0: (mesh.ep, mesh.ep_rank), width: (mesh.etp, mesh.etp_rank)}
        return _cut(name, "expert", shape, cuts, (1, 0), (mesh.expert_dp, mesh.expert_dp_rank))
    if name.endswith(_COLUMN + _ROW):
        dim = 0 if name.endswith(_COLUMN) else 1
        return _cut(name, "tensor", shape, {dim: (mesh.tp, mesh.tp_rank)}, (1, 0), dense_dp)
    if name.endswith(("wk.weight", "wv.weight")):
        parts = min(mesh.tp, job.model.num_kv_heads)
        copies = mesh.tp // parts
        return _cut(name, "kv", shape, {0: (parts, mesh.tp_rank // copies)}, (copies, mesh.tp_rank % copies), dense_dp)
    if job.model.tied_embeddings and name == "head.weight":
        name = "embedding.weight"
    if tied_end is not None:
        return _cut(name, "tied", shape, {}, (2 * mesh.tp, mesh.tp_rank + tied_end * mesh.tp), dense_dp)
    return _cut(name, "replicated", shape, {}, (mesh.tp, mesh.tp_rank), dense_dp)


def _cut(
    name: str,
    kind: Kind,
    shape: tuple[int, ...],
    cuts: dict[int, tuple[int, int]],
    copy: tuple[int, int],
    dp: tuple[int, int],
) -> Placed:
    """``cuts``: dimension → (number of parts, this rank's part)."""
    offsets, local = [0] * len(shape), list(shape)
    for dim, (parts, part) in cuts.items():
        local[dim] = shape[dim] // parts
        offsets[dim] = part * local[dim]
    return Placed(name, kind, shape, tuple(offsets), tuple(local), *copy, *dp)
