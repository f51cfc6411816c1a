"""What a rank does when another system than moestro starts it: the engine's training, or a bare loop.

The process group stands already, as that system made it. Every step is told in a file, a line of JSON each.
"""

import json
import os
import time
from collections import defaultdict
from pathlib import Path

import torch
import torch.distributed as dist

from moestro.v1 import agent_pb2, rank_pb2
from moestro_engine.checkpoint.store import restore_checkpoint
from moestro_engine.data.prepare import prepare_data
from moestro_engine.link.file_link import FileLink
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.training.build import build_context
from moestro_engine.training.loop import train

COLLECTIVE_TIMEOUT_MS = 600_000


class StepLines(FileLink):
    """Says when this rank made which step in which attempt, at once: the process may be killed."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        path = folder / f"rank-{dist.get_rank()}.jsonl"
        told = path.read_text().splitlines() if path.exists() else []
        # The newest attempt that any rank has told of, and one.
        attempt = torch.tensor(
            1 + max((json.loads(line)["attempt"] for line in told), default=0)
        )
        dist.all_reduce(attempt, dist.ReduceOp.MAX)
        self.attempt = int(attempt)
        self._lines = path.open("a", buffering=1)
        self.tell(step=0)

    def send(self, **message) -> None:
        if "step" in message:
            self.tell(message["step"].step)

    def tell(self, step: int) -> None:
        line = {
            "attempt": self.attempt,
            "step": step,
            "pid": os.getpid(),
            "atMs": time.time() * 1000,
        }
        self._lines.write(json.dumps(line) + "\n")


def train_engine(folder: Path) -> None:
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


def loop_barely(folder: Path) -> None:
    """One tiny all-reduce a step, and nothing else: all that is left of a restart is the system's own."""
    lines = StepLines(folder)
    value = torch.ones(1)
    step = 0
    while True:
        step += 1
        dist.all_reduce(value)
        value.fill_(1)
        lines.tell(step)
        time.sleep(0.05)


FUNCTIONS = {"engine": train_engine, "bare": loop_barely}
