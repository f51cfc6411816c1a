"""The process groups of a mesh. A group of one rank is None: nothing is sent."""

from dataclasses import dataclass

import torch.distributed as dist

from moestro_engine.parallel.mesh import Mesh

Group = dist.ProcessGroup | None


@dataclass(frozen=True)
class Groups:
    """The groups one rank belongs to."""

    tp: Group
    dp: Group
    pp: dist.ProcessGroup
    # Ranks that hold the same key-value head because tp exceeds their number.
    kv: Group
    # First and last stage, which share the weights of tied embeddings.
    tied: Group


def make_groups(mesh: Mesh, num_kv_heads: int, tied_embeddings: bool) -> Groups:
    """Create every group on every rank, in one order; collective over the world."""
    tps, dps, pps = range(mesh.tp), range(mesh.dp), range(mesh.pp)
    kv_span = max(1, mesh.tp // num_kv_heads)
    tied = tied_embeddings and mesh.pp > 1
    return Groups(
        tp=_mine(mesh, [[mesh.rank_at(t, d, p) for t in tps] for p in pps for d in dps]),
        dp=_mine(mesh, [[mesh.rank_at(t, d, p) for d in dps] for p in pps for t in tps]),
        pp=_mine(mesh, [[mesh.rank_at(t, d, p) for p in pps] for d in dps for t in tps], even_alone=True),
        kv=_mine(
            mesh,
            [[mesh.rank_at(f + i, d, p) for i in range(kv_span)] for p in pps for d in dps for f in range(0, mesh.tp, kv_span)],
        ),
        tied=_mine(mesh, [[mesh.rank_at(t, d, p) for p in (0, mesh.pp - 1)] for d in dps for t in tps]) if tied else None,
    )


def _mine(mesh: Mesh, members: list[list[int]], even_alone: bool = False) -> Group:
    if len(members[0]) == 1 and not even_alone:
        return None
    mine = None
    for ranks in members:
        group = dist.new_group(ranks)
        if mesh.rank in ranks:
            mine = group
    return mine
