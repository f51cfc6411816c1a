"""One rank that trains and saves now in training's way, now beside it; run under torchrun by checkpoint.ts.

Prints one line of JSON a pair of saves: how long the loop stood still for each, and how much longer the
steps took that ran while the second was being written. Times are in milliseconds.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch.distributed as dist
from moestro.v1 import agent_pb2, rank_pb2, report_pb2
from moestro_engine.checkpoint.store import CheckpointWriter, save_checkpoint
from moestro_engine.data.prepare import prepare_data
from moestro_engine.link.file_link import FileLink
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.process_group import choose_device, join
from moestro_engine.rendezvous import environment_store
from moestro_engine.training.build import build_context
from moestro_engine.training.coefficients import CoefficientBook, ControlValues
from moestro_engine.training.control import Control
from moestro_engine.training.step import train_step

NUM_WARM_UP_STEPS = 4
# Before each save, for the time of a step that nothing disturbs.
NUM_QUIET_STEPS = 4
TIMEOUT_MS = 120_000


class Trainer:
    """A rank that takes one step after the other."""

    def __init__(self, start: agent_pb2.StartRanks) -> None:
        assignment = rank_pb2.RankAssignment(
            run_id="bench",
            generation=1,
            rank=int(os.environ["RANK"]),
            local_rank=int(os.environ["LOCAL_RANK"]),
            plan=start.plan,
            job=start.job,
            collective_timeout_ms=TIMEOUT_MS,
            network_interface=start.network_interface,
        )
        mesh, link = mesh_of(start.plan, assignment.rank), FileLink()
        device = choose_device(assignment)
        data = prepare_data(start.job) if assignment.local_rank == 0 else None
        join(assignment, link, environment_store, device)
        self.context = build_context(
            assignment, link, mesh, data or prepare_data(start.job), device
        )
        book = CoefficientBook(ControlValues.zero(start.job), start.coefficients)
        self._control = Control(link, book, strict=False)
        self._values = book.values(1)
        self.step = 0

    def train(self) -> float:
        """One step; returns its time."""
        self.step += 1
        return timed(
            lambda: train_step(self.context, self._control, self.step, self._values)
        )


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "start", type=Path, help="a binary moestro.v1.StartRanks message"
    )
    parser.add_argument("--pairs", type=int, required=True)
    arguments = parser.parse_args()
    trainer = Trainer(agent_pb2.StartRanks.FromString(arguments.start.read_bytes()))
    writer = CheckpointWriter()
    for _ in range(NUM_WARM_UP_STEPS):
        trainer.train()
    # Host buffers and folders are made once in a run.
    writer.start(trainer.context, trainer.step)
    writer.wait()
    for _ in range(arguments.pairs):
        line = json.dumps(_pair(trainer, writer) | {"rank": trainer.context.mesh.rank})
        # In one write, so that lines of several ranks stay lines.
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        dist.barrier()
        if trainer.context.mesh.rank == 0:
            shutil.rmtree(trainer.context.job.checkpoint.directory)
        dist.barrier()
    dist.destroy_process_group()


def _pair(trainer: Trainer, writer: CheckpointWriter) -> dict[str, float]:
    quiet = [trainer.train() for _ in range(NUM_QUIET_STEPS)]
    in_the_way = timed(lambda: save_checkpoint(trainer.context, trainer.step))
    quiet += [trainer.train() for _ in range(NUM_QUIET_STEPS)]
    usual = statistics.median(quiet)
    stall = timed(lambda: writer.start(trainer.context, trainer.step))
    disturbed: list[float] = []
    written: list[report_pb2.CheckpointShards] = []
    started = time.perf_counter()
    # At least one, and as many on every rank, for steps are taken together.
    while not _all_done(bool(written)):
        disturbed.append(trainer.train())
        written += writer.finished()
    writing = (time.perf_counter() - started) * 1e3
    (shards,) = written
    return {
        "synchronousMs": in_the_way,
        "stallMs": stall,
        "writingMs": writing,
        "slowerMs": sum(disturbed) - usual * len(disturbed),
        "steps": len(disturbed),
        "stepMs": usual,
        "bytes": shards.files[0].size_bytes,
    }


def _all_done(done: bool) -> bool:
    everyone: list[bool] = [False] * dist.get_world_size()
    dist.all_gather_object(everyone, done)
    return all(everyone)


if __name__ == "__main__":
    main()
