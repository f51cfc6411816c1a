"""Where a rank sits: one frozen object with every axis, checked against the plan."""

from dataclasses import dataclass

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.errors import UserError


@dataclass(frozen=True)
class Mesh:
    """Sizes of all axes and the coordinates of one rank; tp is the fastest axis, pp the slowest."""

    rank: int
    tp: int
    dp: int
    pp: int
    ep: int
    expert_dp: int

    @property
    def world(self) -> int:
        return self.tp * self.dp * self.pp

    @property
    def tp_rank(self) -> int:
        return self.rank % self.tp

    @property
    def dp_rank(self) -> int:
        return self.rank // self.tp % self.dp

    @property
    def pp_rank(self) -> int:
        return self.rank // (self.tp * self.dp)

    def rank_at(self, tp_rank: int, dp_rank: int, pp_rank: int) -> int:
        return tp_rank + self.tp * (dp_rank + self.dp * pp_rank)


def mesh_of(plan: plan_pb2.Plan, rank: int) -> Mesh:
    """The mesh of a plan as seen by one rank; UserError if its factors do not fit or the engine cannot run it."""
    layout = plan.layout
    tp, cp, dp, pp = layout.tensor_parallel, layout.context_parallel, layout.data_parallel, layout.pipeline_parallel
    etp, ep, expert_dp = layout.expert_tensor_parallel, layout.expert_parallel, layout.expert_data_parallel
    attention, experts = tp * cp * dp * pp, etp * ep * expert_dp * pp
    if not attention == experts == plan.world_size:
        raise UserError(
            f"layout: attention tp {tp} * cp {cp} * dp {dp} * pp {pp} = {attention}, experts etp {etp} * ep {ep} * "
            f"expert_dp {expert_dp} * pp {pp} = {experts}, world {plan.world_size}; the three must be equal"
        )
    if layout.scheme != plan_pb2.SCHEME_EDP or (cp, etp, layout.virtual_pipeline) != (1, 1, 1) or ep != tp:
        scheme = plan_pb2.Scheme.Name(layout.scheme).removeprefix("SCHEME_").lower()
        raise UserError(
            f"layout: scheme {scheme} with tp {tp}, ep {ep}, cp {cp}, etp {etp}, vpp {layout.virtual_pipeline}: the engine "
            "runs scheme edp with ep = tp and cp = etp = vpp = 1; set layout.scheme to edp"
        )
    return Mesh(rank, tp, dp, pp, ep, expert_dp)


def check_plan(plan: plan_pb2.Plan, job: job_pb2.EngineJob, mesh: Mesh) -> None:
    """UserError for a job whose heads, experts, layers, sequence or batch do not divide over the mesh."""
    model, training = job.model, job.training
    if model.num_heads % mesh.tp or (model.num_kv_heads % mesh.tp and mesh.tp % model.num_kv_heads):
        raise UserError(
            f"layout.tensorParallel: {mesh.tp} must divide {model.num_heads} heads, and divide or be a multiple of "
            f"{model.num_kv_heads} key-value heads"
        )
    if job.moe.num_experts % mesh.ep:
        raise UserError(f"layout.expertParallel: {mesh.ep} does not divide {job.moe.num_experts} experts")
    if training.sequence_length % mesh.tp:
        raise UserError(f"layout.tensorParallel: {mesh.tp} does not divide training.sequenceLength {training.sequence_length}")
    batch = plan.micro_batch_size * plan.num_micro_batches * mesh.dp
    if batch != training.global_batch_size:
        raise UserError(
            f"training.globalBatchSize: {training.global_batch_size} is not micro-batch {plan.micro_batch_size} * "
            f"{plan.num_micro_batches} micro-batches * dp {mesh.dp} = {batch}"
        )
    if plan.num_micro_batches < mesh.pp:
        raise UserError(
            f"layout.pipelineParallel: 1F1B over {mesh.pp} stages needs as many micro-batches, got {plan.num_micro_batches}"
        )
    walked = [layer for stage in plan.stages for layer in range(stage.first_layer, stage.first_layer + stage.num_layers)]
    if len(plan.stages) != mesh.pp or walked != list(range(model.num_layers)):
        sizes = [stage.num_layers for stage in plan.stages]
        raise UserError(f"layout: stages of {sizes} layers do not cover {model.num_layers} layers on {mesh.pp} stages in order")
