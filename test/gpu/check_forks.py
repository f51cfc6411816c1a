"""Ranks forked from a process that has torch and the kernels imported: whether CUDA begins in them."""

import sys
import tempfile
from pathlib import Path

import torch
from agent import Agent, rank_server
from helpers import make_job, make_plan


def check_forks(device: torch.device, num_steps: int) -> list[dict[str, object]]:
    """One after the other of the same process, for the first must not have begun anything there."""
    found = []
    for what in ("first", "second"):
        with tempfile.TemporaryDirectory() as folder:
            job = make_job(Path(folder), steps=num_steps, device=device.type)
            (end,) = Agent(job, make_plan(job)).run()
        passed = end.exit_code == 0 and len(end.of("step")) == num_steps
        if not passed:
            print(end.stderr, file=sys.stderr)
        entry = {"what": f"a rank that is a fork, {what}", "dtype": "float32"}
        entry |= {"sizes": f"{num_steps} steps"}
        passed = passed and rank_server().why_no_forks == ""
        entry |= {"difference": float(not passed), "tolerance": 0.0}
        found.append(entry | {"passed": passed})
    return found
