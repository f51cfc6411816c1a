"""Parts of the probe's world: so many ranks at work, in meshes of tensor- and data-parallel ranks, the rest idle."""

from dataclasses import dataclass

import torch.distributed as dist

from moestro_engine.parallel.groups import Group, Groups
from moestro_engine.parallel.mesh import Mesh


@dataclass(frozen=True)
class Part:
    """The first ``busy`` ranks, cut into meshes of tp * dp; every rank of the world makes the same parts in one order."""

    busy: int
    mesh: Mesh
    groups: Groups
    # All ranks at work; None on a rank that is idle.
    active: dist.ProcessGroup | None


def make_part(rank: int, busy: int, tp: int, dp: int, num_kv_heads: int, pp: int = 1) -> Part:
    """Create the groups of a part; collective over the world."""
    size = tp * dp * pp
    span = max(1, tp // num_kv_heads)
    tps, dps = range(tp), range(dp)
    # First rank of every stage of every mesh, and of every mesh.
    stages, starts = range(0, busy, tp * dp), range(0, busy, size)
    groups = Groups(
        tp=_mine(rank, [[s + d * tp + t for t in tps] for s in stages for d in dps]),
        dp=_mine(rank, [[s + d * tp + t for d in dps] for s in stages for t in tps]),
        pp=_mine(rank, [[s + r + tp * dp * p for p in range(pp)] for s in starts for r in range(tp * dp)], even_alone=True),
        kv=_mine(rank, [[s + d * tp + f + i for i in range(span)] for s in stages for d in dps for f in range(0, tp, span)]),
        tied=None,
    )
    active = dist.new_group(list(range(busy)))
    mesh = Mesh(rank % size, tp, dp, pp, tp, dp)
    return Part(busy, mesh, groups, active if rank < busy else None)


def _mine(rank: int, members: list[list[int]], even_alone: bool = False) -> Group:
    if len(members[0]) == 1 and not even_alone:
        return None
    groups = [(ranks, dist.new_group(ranks)) for ranks in members]
    return next((group for ranks, group in groups if rank in ranks), None)
