"""``python -m moestro_engine.probe JOB --tensor-parallel 1,2 …``: one rank of the probe, started by ``moestro probe``.

JOB is a binary ``EngineJob``. Ranks meet where RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say; rank 0
writes the tables as JSON.
"""

import argparse
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from moestro.v1 import job_pb2
from moestro_engine.parent import die_with_parent
from moestro_engine.probe.measure import measure

TIMEOUT = timedelta(minutes=5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="moestro_engine.probe", description="Measure this machine, as one of its ranks.")
    parser.add_argument("job", type=Path, help="a binary moestro.v1.EngineJob message")
    parser.add_argument("--tensor-parallel", type=_numbers, required=True, help="sizes to measure, comma-separated")
    parser.add_argument("--micro-batches", type=_numbers, required=True, help="sequences in a micro-batch, comma-separated")
    parser.add_argument("--steps", type=int, default=6, help="steps behind each figure")
    parser.add_argument("--out", type=Path, required=True, help="JSON file that rank 0 writes")
    arguments = parser.parse_args()
    die_with_parent()
    job = job_pb2.EngineJob.FromString(arguments.job.read_bytes())
    rank = int(os.environ["RANK"])
    device = torch.device("cuda", rank) if job.device == "cuda" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.manual_seed(rank)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        timeout=TIMEOUT,
        device_id=device if device.type == "cuda" else None,
    )
    tables = measure(job, arguments.tensor_parallel, arguments.micro_batches, arguments.steps, device)
    if rank == 0:
        arguments.out.write_text(json.dumps(tables))
    dist.destroy_process_group()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
    sys.stdout.flush()
