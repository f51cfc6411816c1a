"""Parts of the probe's world: so many ranks at work, in meshes of tensor- and data-parallel ranks, the rest idle."""

from dataclasses import dataclass

import torch.distributed as dist

from moestro_engine.parallel.groups import Groups, make_groups
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
    mesh = Mesh(rank % size, tp=tp, cp=1, dp=dp, pp=pp, etp=1, ep=tp, expert_dp=dp)
    groups = make_groups(mesh, num_kv_heads, (0, 0), num_meshes=busy // size, rank=rank)
    active = dist.new_group(list(range(busy)))
    return Part(busy, mesh, groups, active if rank < busy else None)
