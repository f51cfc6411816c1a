"""What the training of one rank works with: fixed once the process group stands and the model is built."""

from dataclasses import dataclass

import torch

from moestro.v1 import job_pb2, plan_pb2, rank_pb2
from moestro_engine.data.batches import Batches
from moestro_engine.link.protocol import Link
from moestro_engine.parallel.groups import Groups
from moestro_engine.parallel.mesh import Mesh
from moestro_engine.parallel.parallelize import Chunk
from moestro_engine.parallel.pipeline import Pipeline
from moestro_engine.parallel.training_state import TrainingState


@dataclass(frozen=True)
class Context:
    """Surroundings of the rank, and the state that training changes in place."""

    assignment: rank_pb2.RankAssignment
    link: Link
    mesh: Mesh
    groups: Groups
    device: torch.device
    batches: Batches
    # What made the data's tokens, as ``PreparedData`` has it.
    tokenizer: str | None
    # The stages that lie on this rank, in the model's order.
    chunks: list[Chunk]
    pipeline: Pipeline
    state: TrainingState

    @property
    def job(self) -> job_pb2.EngineJob:
        return self.assignment.job

    @property
    def plan(self) -> plan_pb2.Plan:
        return self.assignment.plan
