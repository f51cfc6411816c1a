"""The engine on one device, as a rank of a world of one runs it: state, pipeline and schedule, without an agent."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from helpers import make_plan
from moestro.v1 import job_pb2
from moestro_engine.model.transformer import StageModel
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.parallel.pipeline import Pipeline
from moestro_engine.parallel.training_state import TrainingState
from moestro_engine.training.build import DTYPES, build_state

AUX_COEFFICIENT = 0.01


@dataclass(frozen=True)
class OneRank:
    """The whole model with what trains it."""

    training: job_pb2.TrainingConfig
    model: StageModel
    pipeline: Pipeline
    state: TrainingState

    def gradients(self, token_BS: torch.Tensor) -> tuple[float, float]:
        """Forward and backward of a global batch [B, S + 1]: its mean loss and the gradient's norm."""
        self.model.balance.reset()
        self.state.zero_gradients()
        self.pipeline.train(token_BS[:, :-1], token_BS[:, 1:].contiguous())
        self.state.reduce_gradients()
        norm = math.sqrt(self.state.squared_norm_share().item())
        return self.pipeline.loss.sum.item() / self.pipeline.loss.tokens, norm

    def step(self, token_BS: torch.Tensor, rate: float) -> float:
        """The same, and the update; the mean loss before it."""
        loss, norm = self.gradients(token_BS)
        self.state.clip(norm, self.training.clip_grad_norm)
        self.state.update(rate)
        return loss


@contextmanager
def one_rank(
    job: job_pb2.EngineJob, micro_batch: int, device: torch.device
) -> Iterator[OneRank]:
    """With initial weights, in the job's precision."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    try:
        plan = make_plan(job, micro_batch=micro_batch)
        mesh = mesh_of(plan, 0)
        groups, chunks, state = build_state(job, plan, mesh, device)
        dtype = DTYPES.get(job.training.precision, torch.float32)
        pipeline = Pipeline(
            chunks, job, plan, mesh, groups, device, dtype, state.collect_gradients
        )
        model = chunks[0].model
        model.balance.coefficient_L.fill_(AUX_COEFFICIENT)
        yield OneRank(job.training, model, pipeline, state)
    finally:
        dist.destroy_process_group()
