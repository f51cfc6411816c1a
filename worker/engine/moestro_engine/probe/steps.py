"""Optimizer steps of the engine without data and control plane: how long a micro-batch and the rest of a step take."""

import statistics
import time
from dataclasses import dataclass

import torch
import torch.distributed as dist

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.parallel.flat_state import FlatState
from moestro_engine.parallel.parallelize import build_chunk, link
from moestro_engine.parallel.pipeline import Pipeline
from moestro_engine.probe.world import Part
from moestro_engine.training.boundary import Boundary, exchange, pack
from moestro_engine.training.coefficients import ControlValues

# More micro-batches say nothing new about one.
MAX_MICRO_BATCHES = 8
NUM_WARM_UP_STEPS = 1


@dataclass(frozen=True)
class StepTimes:
    """Means over the faster half of the steps, which other work on the machine disturbed least: ms on this rank."""

    # Of one micro-batch through the stage, embedding and head included.
    forward_ms: float
    backward_ms: float
    # Between the passes, per micro-batch: the loss and the schedule's own work.
    gap_ms: float
    # Waiting for the slowest rank at the end of the backward passes.
    skew_ms: float
    # Zeroing and reducing gradients, the boundary's exchange, clipping, the update.
    tail_ms: float
    optimizer_ms: float
    # All micro-batches.
    pipeline_ms: float
    num_parameters: int


class Stepper:
    """A stage of some layers on one rank of a part, ready to take steps on random tokens."""

    def __init__(
        self, job: job_pb2.EngineJob, part: Part, num_layers: int, micro_batch: int, recompute: bool, device: torch.device
    ) -> None:
        mesh = part.mesh
        self.num_micro_batches = micro_batches_of(job, micro_batch, mesh.dp)
        self.job = _sized(job, num_layers * mesh.pp, micro_batch * self.num_micro_batches * mesh.dp)
        self.part, self.device = part, device
        plan = _plan(num_layers, mesh.pp, micro_batch, self.num_micro_batches, recompute)
        self.chunk = build_chunk(self.job, plan, mesh, mesh.pp_rank, link(part.groups, device), device)
        self.state = FlatState([self.chunk], self.job, part.groups, device)
        self.num_parameters = sum(p.numel() for p in self.chunk.model.parameters())
        self.pipeline = Pipeline([self.chunk], self.job, plan, mesh, part.groups, device)
        self.pipeline.stages[0]._timed = self._timed
        shape = (micro_batch * self.num_micro_batches, self.job.training.sequence_length // mesh.tp)
        self.tokens = torch.randint(self.job.model.vocab_size, shape, device=device)
        self._spans: list[float] = []

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def step(self) -> tuple[float, ...]:
        """forward, backward, gap of a micro-batch; skew, tail of the step, update within it, all micro-batches: seconds."""
        started = self.now()
        self._spans = []
        self.chunk.model.balance.reset()
        self.state.zero_gradients()
        passing = self.now()
        self.pipeline.train(self.tokens, self.tokens)
        passed = self.now()
        dist.barrier(group=self.part.active)
        met = self.now()
        self.state.reduce_gradients()
        self._exchange()
        self.state.clip(2.0, 1.0)
        updating = self.now()
        self.state.update(self.job.training.learning_rate)
        ended = self.now()
        # One stage runs forward and backward in turn; with more, only their sum means something.
        forward, backward = sum(self._spans[0::2]), sum(self._spans[1::2])
        gap = passed - passing - forward - backward
        tail = passing - started + ended - met
        per_micro_batch = (part / self.num_micro_batches for part in (forward, backward, gap))
        return (*per_micro_batch, met - passed, tail, ended - updating, passed - passing)

    def measure(self, num_steps: int) -> StepTimes:
        for _ in range(NUM_WARM_UP_STEPS):
            self.step()
        dist.barrier(group=self.part.active)
        rows = sorted((self.step() for _ in range(num_steps)), key=_wall)
        faster = rows[: (num_steps + 1) // 2]
        means = (statistics.fmean(column) * 1e3 for column in zip(*faster, strict=True))
        return StepTimes(*means, self.num_parameters)

    def _timed(self, operation, kind, chunk, *args, **kwargs):
        started = self.now()
        result = operation(chunk, *args, **kwargs)
        self._spans.append(self.now() - started)
        return result

    def _exchange(self) -> None:
        loss = self.pipeline.loss
        norm = self.state.squared_norm_share().item()
        mine = Boundary(loss.sum.item(), loss.tokens, norm, 0, False, False, False, ControlValues.zero(self.job))
        if self.part.busy == dist.get_world_size():
            exchange(mine, self.device)
        else:
            dist.all_reduce(pack(mine, self.device), group=self.part.active)


def _wall(row: tuple[float, ...]) -> float:
    """The whole of a step: all micro-batches, skew and tail."""
    *_, skew, tail, _, pipeline = row
    return pipeline + skew + tail


def _sized(job: job_pb2.EngineJob, num_layers: int, batch: int) -> job_pb2.EngineJob:
    sized = job_pb2.EngineJob()
    sized.CopyFrom(job)
    sized.model.num_layers = num_layers
    sized.training.global_batch_size = batch
    return sized


def micro_batches_of(job: job_pb2.EngineJob, micro_batch: int, dp: int) -> int:
    """Micro-batches in a step of the probe: the layout's own number, up to a bound; 0 if the batch is too small."""
    return min(MAX_MICRO_BATCHES, job.training.global_batch_size // (micro_batch * dp))


def _plan(num_layers: int, pp: int, micro_batch: int, num_micro_batches: int, recompute: bool) -> plan_pb2.Plan:
    mode = plan_pb2.RECOMPUTE_FULL if recompute else plan_pb2.RECOMPUTE_NONE
    stages = [
        plan_pb2.Stage(
            index=index,
            first_layer=index * num_layers,
            num_layers=num_layers,
            has_embedding=index == 0,
            has_head=index == pp - 1,
            recompute=[mode] * num_layers,
        )
        for index in range(pp)
    ]
    return plan_pb2.Plan(
        layout=plan_pb2.Layout(pipeline_parallel=pp, virtual_pipeline=1),
        stages=stages,
        schedule=plan_pb2.SCHEDULE_1F1B,
        micro_batch_size=micro_batch,
        num_micro_batches=num_micro_batches,
    )
