"""What the training of one rank works with: fixed once the process group stands and the model is built."""

from dataclasses import dataclass

import torch
from torch import nn

from moestro.v1 import job_pb2, plan_pb2, rank_pb2
from moestro_engine.data.batches import Batches
from moestro_engine.link.protocol import Link
from moestro_engine.model.transformer import StageModel
from moestro_engine.parallel.clock import Clock
from moestro_engine.parallel.gradients import FlatGradients
from moestro_engine.parallel.groups import Groups
from moestro_engine.parallel.mesh import Mesh
from moestro_engine.parallel.pipeline import Pipeline
from moestro_engine.parallel.placement import Placed


@dataclass(frozen=True)
class Context:
    """Surroundings of the rank, and the state that training changes in place."""

    assignment: rank_pb2.RankAssignment
    link: Link
    mesh: Mesh
    groups: Groups
    device: torch.device
    batches: Batches
    # Runs while tensor- and expert-parallel collectives do.
    communication_clock: Clock
    pipeline: Pipeline
    parameters: dict[str, nn.Parameter]
    placements: dict[str, Placed]
    gradients: FlatGradients
    optimizer: torch.optim.AdamW

    @property
    def job(self) -> job_pb2.EngineJob:
        return self.assignment.job

    @property
    def stage(self) -> plan_pb2.Stage:
        return self.assignment.plan.stages[self.mesh.pp_rank]

    @property
    def model(self) -> StageModel:
        return self.pipeline.model
