"""What a plan must satisfy before any rank starts: one line for the first rule it breaks."""

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.errors import UserError
from moestro_engine.parallel.mesh import Mesh

# Schedules whose backward pass is cut in two: gradients of inputs first, of weights later.
SPLIT_BACKWARD = (plan_pb2.SCHEDULE_ZERO_BUBBLE, plan_pb2.SCHEDULE_DUALPIPEV)


def check_plan(plan: plan_pb2.Plan, job: job_pb2.EngineJob, mesh: Mesh) -> None:
    """UserError for a job whose heads, experts, layers, sequence or batch do not divide over the mesh."""
    _check_sizes(job, mesh)
    batch = plan.micro_batch_size * plan.num_micro_batches * mesh.dp
    if batch != job.training.global_batch_size:
        raise UserError(
            f"training.globalBatchSize: {job.training.global_batch_size} is not micro-batch {plan.micro_batch_size} * "
            f"{plan.num_micro_batches} micro-batches * dp {mesh.dp} = {batch}"
        )
    _check_stages(plan, job, mesh)
    _check_schedule(plan, mesh)


def stage_ranks(plan: plan_pb2.Plan) -> list[int]:
    """The pipeline rank of every stage: round and round, or down and up again under DualPipeV."""
    pp = plan.layout.pipeline_parallel
    if plan.schedule == plan_pb2.SCHEDULE_DUALPIPEV:
        return [*range(pp), *reversed(range(pp))]
    return list(range(pp)) * max(1, plan.layout.virtual_pipeline)


def _check_sizes(job: job_pb2.EngineJob, mesh: Mesh) -> None:
    model, length = job.model, job.training.sequence_length
    if model.num_heads % mesh.tp or (model.num_kv_heads % mesh.tp and mesh.tp % model.num_kv_heads):
        raise UserError(
            f"layout.tensorParallel: {mesh.tp} must divide {model.num_heads} heads, and divide or be a multiple of "
            f"{model.num_kv_heads} key-value heads"
        )
    if job.moe.num_experts % mesh.ep:
        raise UserError(f"layout.expertParallel: {mesh.ep} does not divide {job.moe.num_experts} experts")
    if model.ffn_hidden_size % mesh.etp:
        raise UserError(f"layout.expertTensorParallel: {mesh.etp} does not divide model.ffnHiddenSize {model.ffn_hidden_size}")
    for name, width in (
        ("denseFfnHiddenSize", model.dense_ffn_hidden_size),
        ("sharedFfnHiddenSize", model.shared_ffn_hidden_size),
    ):
        if width % mesh.tp:
            raise UserError(f"layout.tensorParallel: {mesh.tp} does not divide model.{name} {width}")
    if length % mesh.sequence_parts:
        raise UserError(
            f"layout: tensorParallel {mesh.tp} * contextParallel {mesh.cp} does not divide training.sequenceLength {length}"
        )


def _check_stages(plan: plan_pb2.Plan, job: job_pb2.EngineJob, mesh: Mesh) -> None:
    sizes = [stage.num_layers for stage in plan.stages]
    walked = [layer for stage in plan.stages for layer in range(stage.first_layer, stage.first_layer + stage.num_layers)]
    if len(sizes) != mesh.pp * plan.layout.virtual_pipeline or walked != list(range(job.model.num_layers)):
        raise UserError(
            f"layout: stages of {sizes} layers do not cover {job.model.num_layers} layers in order on pp {mesh.pp} * "
            f"vpp {plan.layout.virtual_pipeline} stages"
        )
    if not plan.stages[0].has_embedding or not plan.stages[-1].has_head:
        raise UserError("layout: the first stage must hold the embedding and the last one the head")


def _check_schedule(plan: plan_pb2.Plan, mesh: Mesh) -> None:
    """The limits of torch.distributed.pipelining's schedules."""
    name = plan_pb2.Schedule.Name(plan.schedule).removeprefix("SCHEDULE_").lower().replace("_", "-")
    pp, vpp, number = mesh.pp, plan.layout.virtual_pipeline, plan.num_micro_batches
    chunks = {plan_pb2.SCHEDULE_DUALPIPEV: vpp == 2, plan_pb2.SCHEDULE_INTERLEAVED: vpp >= 2 and pp >= 2}
    if not chunks.get(plan.schedule, vpp == 1):
        raise UserError(f"layout.virtualPipeline: {vpp} with schedule {name} on {pp} pipeline ranks; 1f1b, gpipe and zero-bubble "
                        "take 1, dualpipev 2, interleaved 2 or more on at least 2 ranks")  # fmt: skip
    least = {plan_pb2.SCHEDULE_1F1B: pp, plan_pb2.SCHEDULE_DUALPIPEV: 2 * pp}.get(plan.schedule, 1)
    if number < least:
        raise UserError(f"layout.pipelineParallel: {name} over {pp} ranks needs {least} micro-batches or more, got {number}")
    rounds = max(1, number // pp)
    if plan.schedule in (plan_pb2.SCHEDULE_INTERLEAVED, plan_pb2.SCHEDULE_ZERO_BUBBLE) and number % rounds:
        raise UserError(f"layout.schedule: {name} over {pp} ranks needs a multiple of {rounds} micro-batches, got {number}")
    if plan.schedule not in SPLIT_BACKWARD:
        return
    if plan.optimizer_sharding == plan_pb2.OPTIMIZER_SHARDING_FSDP:
        raise UserError(
            f"training.optimizerSharding: fsdp does not run under schedule {name}, whose backward comes in parts; use schedule "
            "gpipe, 1f1b or interleaved, or optimizerSharding zero1"
        )
    if any(plan_pb2.RECOMPUTE_SELECTIVE in stage.recompute for stage in plan.stages):
        raise UserError(
            f"layout.recompute: selective does not go with schedule {name}, which walks a graph twice; use none or full"
        )
