"""From an assignment and a standing process group to everything the training loop needs."""

import torch

from moestro.v1 import job_pb2, plan_pb2, rank_pb2
from moestro_engine.data.batches import Batches
from moestro_engine.data.prepare import PreparedData
from moestro_engine.link.protocol import Link
from moestro_engine.parallel.check_plan import SPLIT_BACKWARD, stage_ranks
from moestro_engine.parallel.flat_state import FlatState
from moestro_engine.parallel.fully_sharded_state import FullyShardedState
from moestro_engine.parallel.groups import Groups, make_groups
from moestro_engine.parallel.mesh import Mesh
from moestro_engine.parallel.parallelize import Chunk, build_chunk, link
from moestro_engine.parallel.pipeline import Pipeline
from moestro_engine.parallel.training_state import TrainingState
from moestro_engine.training.context import Context

DTYPES = {job_pb2.PRECISION_BF16: torch.bfloat16}


def build_context(
    assignment: rank_pb2.RankAssignment, agent: Link, mesh: Mesh, data: PreparedData, device: torch.device
) -> Context:
    """Make groups, model, gradients and optimizer; collective over the world."""
    job, plan = assignment.job, assignment.plan
    groups, chunks, state = build_state(job, plan, mesh, device)
    dtype = DTYPES.get(job.training.precision, torch.float32)
    return Context(
        assignment=assignment,
        link=agent,
        mesh=mesh,
        groups=groups,
        device=device,
        batches=Batches(data.train_path, data.validation_path, job.training, mesh, device),
        tokenizer=data.tokenizer,
        chunks=chunks,
        pipeline=Pipeline(chunks, job, plan, mesh, groups, device, dtype, state.collect_gradients),
        state=state,
    )


def build_state(
    job: job_pb2.EngineJob, plan: plan_pb2.Plan, mesh: Mesh, device: torch.device
) -> tuple[Groups, list[Chunk], TrainingState]:
    """Groups, this rank's part of the model with initial weights, and what holds them; collective over the world."""
    ranks = stage_ranks(plan)
    tied_ranks = (ranks[0], ranks[-1]) if job.model.tied_embeddings else (0, 0)
    fully_sharded = plan.optimizer_sharding == plan_pb2.OPTIMIZER_SHARDING_FSDP
    groups = make_groups(mesh, job.model.num_kv_heads, tied_ranks, even_alone=fully_sharded)
    mine = [index for index, rank in enumerate(ranks) if rank == mesh.pp_rank]
    chunks = [build_chunk(job, plan, mesh, index, link(groups, device), device) for index in mine]
    dtype = DTYPES.get(job.training.precision, torch.float32)
    if fully_sharded:
        return groups, chunks, FullyShardedState(chunks, job, groups, device, dtype)
    sharded = plan.optimizer_sharding == plan_pb2.OPTIMIZER_SHARDING_ZERO1
    state = FlatState(chunks, job, groups, device, sharded, dtype)
    for chunk in chunks:
        chunk.model.add_up_gradients_in_place(dtype == torch.float32 and plan.schedule not in SPLIT_BACKWARD)
    return groups, chunks, state
