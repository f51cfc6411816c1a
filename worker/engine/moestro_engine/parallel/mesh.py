"""Where a rank sits: one frozen object with every axis, checked against the plan."""

from dataclasses import dataclass, replace

from moestro.v1 import plan_pb2
from moestro_engine.errors import UserError


@dataclass(frozen=True)
class Mesh:
    """Sizes of all axes and the coordinates of one rank.

    A stage is tp * cp * dp ranks for attention and etp * ep * expert_dp for the experts, the same ones.
    tp and etp are the fastest axes, pp is the slowest and common to both.
    """

    rank: int
    tp: int
    cp: int
    dp: int
    pp: int
    etp: int
    ep: int
    expert_dp: int

    @property
    def world(self) -> int:
        return self.stage_size * self.pp

    @property
    def stage_size(self) -> int:
        return self.tp * self.cp * self.dp

    @property
    def in_stage(self) -> int:
        return self.rank % self.stage_size

    @property
    def pp_rank(self) -> int:
        return self.rank // self.stage_size

    @property
    def tp_rank(self) -> int:
        return self.rank % self.tp

    @property
    def cp_rank(self) -> int:
        return self.rank // self.tp % self.cp

    @property
    def dp_rank(self) -> int:
        return self.in_stage // (self.tp * self.cp)

    @property
    def etp_rank(self) -> int:
        return self.in_stage % self.etp

    @property
    def ep_rank(self) -> int:
        return self.in_stage // self.etp % self.ep

    @property
    def expert_dp_rank(self) -> int:
        return self.in_stage // (self.etp * self.ep)

    @property
    def sequence_parts(self) -> int:
        """Ranks that a sequence is spread over: context parallelism cuts it first, sequence parallelism then."""
        return self.tp * self.cp

    @property
    def sequence_rank(self) -> int:
        return self.in_stage % self.sequence_parts

    def at(self, rank: int) -> "Mesh":
        """The mesh as another rank sees it."""
        return replace(self, rank=rank)

    def on_stage(self, pp_rank: int) -> int:
        """The rank at this one's place in another pipeline rank's stage."""
        return pp_rank * self.stage_size + self.in_stage


def mesh_of(plan: plan_pb2.Plan, rank: int) -> Mesh:
    """The mesh of a plan as seen by one rank; UserError, with all factors, if they do not multiply to the world."""
    layout = plan.layout
    tp, cp, dp, pp = layout.tensor_parallel, layout.context_parallel, layout.data_parallel, layout.pipeline_parallel
    etp, ep, expert_dp = layout.expert_tensor_parallel, layout.expert_parallel, layout.expert_data_parallel
    attention, experts = tp * cp * dp * pp, etp * ep * expert_dp * pp
    if not attention == experts == plan.world_size:
        raise UserError(
            f"layout: attention tp {tp} * cp {cp} * dp {dp} * pp {pp} = {attention}, experts etp {etp} * ep {ep} * "
            f"expert_dp {expert_dp} * pp {pp} = {experts}, world {plan.world_size}; the three must be equal"
        )
    return Mesh(rank, tp, cp, dp, pp, etp, ep, expert_dp)
