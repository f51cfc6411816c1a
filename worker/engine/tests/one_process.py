"""The ranks of a plan one after the other in one process, over a process group that sends nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.checkpoint.state import Slice, random_state
from moestro_engine.checkpoint.write import shard_name, write_shard
from moestro_engine.parallel.groups import Groups
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.parallel.parallelize import Chunk
from moestro_engine.parallel.training_state import TrainingState
from moestro_engine.training.build import build_state

CPU = torch.device("cpu")


@contextmanager
def open_state(job: job_pb2.EngineJob, plan: plan_pb2.Plan, rank: int) -> Iterator[tuple[Groups, list[Chunk], TrainingState]]:
    """A rank's part of the model with initial weights, and what holds it."""
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=plan.world_size)
    try:
        yield build_state(job, plan, mesh_of(plan, rank), CPU)
    finally:
        dist.destroy_process_group()


@contextmanager
def state_of(job: job_pb2.EngineJob, plan: plan_pb2.Plan, rank: int) -> Iterator[list[Slice]]:
    """What a rank holds of the model and its optimizer."""
    with open_state(job, plan, rank) as (_, _, state):
        yield state.slices()


def expected(part: Slice) -> torch.Tensor:
    """Values that depend on name and place alone."""
    numbers = torch.arange(torch.Size(part.global_shape).numel(), dtype=torch.float32).view(part.global_shape)
    box = tuple(slice(o, o + n) for o, n in zip(part.offsets, part.tensor.shape, strict=True))
    return numbers[box] + len(part.name) / 7


def write_all(folder: Path, job: job_pb2.EngineJob, plan: plan_pb2.Plan, generation: int = 1) -> list[str]:
    """Write every rank's shard of a state with ``expected`` values and return the files' names."""
    names = [shard_name(generation, rank, plan.world_size) for rank in range(plan.world_size)]
    for rank, name in enumerate(names):
        with state_of(job, plan, rank) as slices:
            for part in slices:
                part.tensor.copy_(expected(part))
            write_shard(folder, name, 7, slices, random_state(rank, CPU))
    return names
