"""Many short training runs on one set of rank processes, which import torch once.

``python many_runs.py FOLDER RANK``: this process is one rank of every run under FOLDER that has so many.
A run is a folder with ``start.bin`` (a StartRanks message); ranks meet through a file in it and leave
``rank-N.jsonl``, or ``rank-N.error``.
"""

import random
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from spawn import StepSums, environment, merge, read_messages

from moestro.v1 import agent_pb2, job_pb2, plan_pb2, rank_pb2

TIMEOUT_S = 600


def run_all(
    folder: Path,
    runs: dict[str, tuple[job_pb2.EngineJob, plan_pb2.Plan]],
    alpha: float = 0.01,
    restores: dict[str, rank_pb2.CheckpointReference] | None = None,
    controls: dict[str, list[rank_pb2.Coefficients]] | None = None,
) -> None:
    """Train every run on its ranks, one run after the other; ``read_run`` has what came out.

    ``restores``: by run, the checkpoint it goes on from. ``controls``: by run, what the controller sets in place
    of ``alpha`` in every layer from the first step.
    """
    for name, (job, plan) in runs.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        constant = [rank_pb2.Coefficients(effective_step=1, values=[alpha] * job.model.num_layers)]
        coefficients = (controls or {}).get(name, constant)
        start = agent_pb2.StartRanks(job=job, plan=plan, coefficients=coefficients, collective_timeout_ms=60_000)
        if restores:
            start.restore.CopyFrom(restores[name])
        (folder / name / "start.bin").write_bytes(start.SerializeToString())
    world = max(plan.world_size for _, plan in runs.values())
    command = [sys.executable, __file__, str(folder)]
    ranks = [subprocess.Popen([*command, str(rank)], env=environment()) for rank in range(world)]
    try:
        for process in ranks:
            process.wait(TIMEOUT_S)
    finally:
        for process in ranks:
            process.kill()


def biased_control(job: job_pb2.EngineJob, step: int, favourites: dict[int, int], alpha: float = 0.01) -> rank_pb2.Coefficients:
    """What the controller may set from a step on: small biases, and in layers of ``favourites`` an expert for every token."""
    generator = random.Random(step)
    rows = [[generator.uniform(-0.1, 0.1) for _ in range(job.moe.num_experts)] for _ in range(job.model.num_layers)]
    for layer, expert in favourites.items():
        rows[layer][expert] = 10.0
    biases = [rank_pb2.SelectionBias(values=row) for row in rows]
    return rank_pb2.Coefficients(effective_step=step, values=[alpha] * len(rows), biases=biases)


def read_run(folder: Path, name: str) -> dict[int, StepSums]:
    """The steps of a run, summed over ranks; the test fails with the first rank's own words if it did."""
    errors = sorted((folder / name).glob("rank-*.error"))
    assert not errors, "\n".join(path.read_text() for path in errors)
    files = sorted((folder / name).glob("rank-*.jsonl"))
    return merge([message for file in files for message in read_messages(file)])


def _main(folder: Path, rank: int, prepare: Callable[[Path], None]) -> None:
    import torch.distributed as dist

    from moestro_engine.data.prepare import prepare_data
    from moestro_engine.link.file_link import FileLink
    from moestro_engine.rank import run_rank

    for run in sorted(path.parent for path in folder.glob("*/start.bin")):
        start = agent_pb2.StartRanks.FromString((run / "start.bin").read_bytes())
        world = start.plan.world_size
        if rank >= world:
            continue
        assignment = rank_pb2.RankAssignment(
            run_id=run.name,
            generation=1,
            rank=rank,
            local_rank=rank,
            plan=start.plan,
            job=start.job,
            restore=start.restore if start.HasField("restore") else None,
            coefficients=start.coefficients,
            collective_timeout_ms=start.collective_timeout_ms,
        )
        link = FileLink(run / f"rank-{rank}.jsonl")
        prepare(run)
        try:
            data = prepare_data(assignment.job) if rank == 0 else None
            run_rank(assignment, link, lambda run=run, world=world: dist.FileStore(str(run / "store"), world), data)
        except Exception:
            (run / f"rank-{rank}.error").write_text(f"rank {rank} of {run.name}: {traceback.format_exc()}")
            if dist.is_initialized():
                dist.destroy_process_group()
        link.close()


if __name__ == "__main__":
    from token_groups import drop_by_group

    _main(Path(sys.argv[1]), int(sys.argv[2]), drop_by_group)
