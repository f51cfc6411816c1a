"""The process groups of a mesh. A group of one rank is None: nothing is sent."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch.distributed as dist

from moestro_engine.parallel.mesh import Mesh

Group = dist.ProcessGroup | None


@dataclass(frozen=True)
class Groups:
    """The groups one rank belongs to. Axes that cover the same ranks share one group."""

    tp: Group
    cp: Group
    # Ranks that a micro-batch is spread over: tp * cp.
    sequence: Group
    # Ranks that hold the same slice of attention: cp * dp.
    dense_dp: Group
    etp: Group
    ep: Group
    # Ranks that hold the same slice of the same experts.
    expert_dp: Group
    pp: dist.ProcessGroup
    # Ranks that hold the same key-value head because tp exceeds their number.
    kv: Group
    # First and last stage, which share the weights of tied embeddings, where they lie on two ranks.
    tied: Group


def make_groups(
    mesh: Mesh,
    num_kv_heads: int,
    tied_ranks: tuple[int, int],
    even_alone: bool = False,
    num_meshes: int = 1,
    rank: int | None = None,
) -> Groups:
    """Create every group on every rank, in one order; collective over the world.

    ``tied_ranks`` are the pipeline ranks of the two ends when they share weights, else twice the same.
    ``even_alone`` makes data-parallel groups of one rank too, which FSDP2 wants. Where ``num_meshes`` lie
    one after the other, ``rank`` counts over all of them; a rank behind the last is in no group.
    """
    maker = _Maker(mesh, num_meshes, mesh.rank if rank is None else rank)
    kv_span = max(1, mesh.tp // num_kv_heads)
    first, last = tied_ranks
    return Groups(
        tp=maker.make(lambda m: (m.cp_rank, m.dp_rank, m.pp_rank)),
        cp=maker.make(lambda m: (m.tp_rank, m.dp_rank, m.pp_rank)),
        sequence=maker.make(lambda m: (m.dp_rank, m.pp_rank)),
        dense_dp=maker.make(lambda m: (m.tp_rank, m.pp_rank), even_alone),
        etp=maker.make(lambda m: (m.ep_rank, m.expert_dp_rank, m.pp_rank)),
        ep=maker.make(lambda m: (m.etp_rank, m.expert_dp_rank, m.pp_rank)),
        expert_dp=maker.make(lambda m: (m.etp_rank, m.ep_rank, m.pp_rank), even_alone),
        pp=maker.make(lambda m: m.in_stage, even_alone=True),
        kv=maker.make(lambda m: (m.tp_rank // kv_span, m.cp_rank, m.dp_rank, m.pp_rank)),
        tied=maker.make(lambda m: (m.in_stage, m.pp_rank if m.pp_rank not in tied_ranks else first)) if first != last else None,
    )


class _Maker:
    """Makes each set of groups once, whichever axes ask for it."""

    def __init__(self, mesh: Mesh, num_meshes: int, rank: int) -> None:
        self._mesh = mesh
        self._num_ranks = num_meshes * mesh.world
        self._rank = rank
        self._made: dict[tuple[tuple[int, ...], ...], Group] = {}

    def make(self, place: Callable[[Mesh], Hashable], even_alone: bool = False) -> Group:
        """Group the ranks that ``place`` maps to the same value; the one this rank is in."""
        members: dict[Hashable, list[int]] = {}
        for rank in range(self._num_ranks):
            number, inside = divmod(rank, self._mesh.world)
            members.setdefault((number, place(self._mesh.at(inside))), []).append(rank)
        sets = tuple(tuple(ranks) for ranks in members.values() if len(ranks) > 1 or even_alone)
        if sets not in self._made:
            groups = {ranks: dist.new_group(list(ranks)) for ranks in sets}
            self._made[sets] = next((group for ranks, group in groups.items() if self._rank in ranks), None)
        return self._made[sets]
