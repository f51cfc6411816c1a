"""From an assignment and a standing process group to everything the training loop needs."""

import torch

from moestro.v1 import rank_pb2
from moestro_engine.data.batches import Batches
from moestro_engine.data.prepare import PreparedData
from moestro_engine.link.protocol import Link
from moestro_engine.parallel.clock import make_clock
from moestro_engine.parallel.collectives import LocalGroup, TensorGroup
from moestro_engine.parallel.gradients import FlatGradients
from moestro_engine.parallel.groups import make_groups
from moestro_engine.parallel.mesh import Mesh
from moestro_engine.parallel.parallelize import build_stage
from moestro_engine.parallel.pipeline import Pipeline
from moestro_engine.training.context import Context
from moestro_engine.training.optimizer import make_optimizer


def build_context(
    assignment: rank_pb2.RankAssignment, link: Link, mesh: Mesh, data: PreparedData, device: torch.device
) -> Context:
    """Make groups, model, gradients and optimizer; collective over the world."""
    job, plan = assignment.job, assignment.plan
    groups = make_groups(mesh, job.model.num_kv_heads, job.model.tied_embeddings)
    clock = make_clock(device)
    tensor_group = TensorGroup(groups.tp, clock) if groups.tp is not None else LocalGroup()
    model, placements = build_stage(job, plan, mesh, tensor_group, device)
    parameters = dict(model.named_parameters())
    return Context(
        assignment=assignment,
        link=link,
        mesh=mesh,
        groups=groups,
        device=device,
        batches=Batches(data.train_path, data.validation_path, job.training, mesh, device),
        communication_clock=clock,
        pipeline=Pipeline(model, job, plan, mesh, groups, device),
        parameters=parameters,
        placements=placements,
        gradients=FlatGradients(parameters, placements, groups),
        optimizer=make_optimizer(parameters, placements, job.training),
    )
