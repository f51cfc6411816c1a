"""What each rank does when another system than moestro starts the ranks: the same training.

The process group stands already, as that system made it.
"""

from collections import defaultdict
from pathlib import Path

import torch
import torch.distributed as dist
from moestro.v1 import agent_pb2, rank_pb2
from moestro_engine.checkpoint.store import restore_checkpoint
from moestro_engine.data.prepare import prepare_data
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.training.build import build_context
from moestro_engine.training.loop import train
from step_lines import StepLines

COLLECTIVE_TIMEOUT_MS = 600_000


def run(folder: Path) -> None:
    """Train the model of ``start.bin`` on from the newest checkpoint that is whole."""
    start = agent_pb2.StartRanks.FromString((folder / "start.bin").read_bytes())
    lines = StepLines(folder)
    rank = dist.get_rank()
    assignment = rank_pb2.RankAssignment(
        run_id="recovery",
        generation=lines.attempt,
        rank=rank,
        local_rank=rank,
        plan=start.plan,
        job=start.job,
        restore=newest_checkpoint(
            Path(start.job.checkpoint.directory), dist.get_world_size()
        ),
        coefficients=start.coefficients,
        collective_timeout_ms=COLLECTIVE_TIMEOUT_MS,
    )
    if rank == 0:
        prepare_data(start.job)
    dist.barrier()
    mesh = mesh_of(start.plan, rank)
    context = build_context(
        assignment, lines, mesh, prepare_data(start.job), torch.device("cpu")
    )
    train(context, restore_checkpoint(context))


def newest_checkpoint(
    directory: Path, world: int
) -> rank_pb2.CheckpointReference | None:
    """The newest of which one attempt wrote the shards of all ranks."""
    for folder in sorted(directory.glob("step-*"), reverse=True):
        shards = defaultdict(list)
        for file in folder.glob("*.safetensors"):
            shards[file.name.partition("-")[0]].append(file.name)
        for names in shards.values():
            if len(names) == world:
                step = int(folder.name.removeprefix("step-"))
                return rank_pb2.CheckpointReference(
                    step=step, directory=str(folder), files=sorted(names)
                )
    return None
