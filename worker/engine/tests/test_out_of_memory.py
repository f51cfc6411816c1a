"""A rank that runs out of memory says which stage it is, what it had used and what the plan had predicted."""

import resource
import subprocess
import sys

import pytest
import torch
from spawn import TIMEOUT_S, _free_port, environment

from helpers import make_job, make_plan
from moestro.v1 import agent_pb2
from moestro_engine.errors import UserError, describe, is_user_error
from moestro_engine.out_of_memory import explained
from moestro_engine.parallel.mesh import mesh_of

LIMIT_BYTES = 1_500_000_000


def test_a_rank_over_its_limit_names_its_stage_its_peak_and_the_prediction(tmp_path):
    job = make_job(tmp_path, num_layers=1, sequence_length=4096, global_batch_size=64, sample_bytes=0)
    plan = make_plan(job, micro_batch=64)
    plan.prediction.memory_bytes.append(1.25e9)
    (tmp_path / "start.bin").write_bytes(agent_pb2.StartRanks(job=job, plan=plan).SerializeToString())
    place = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    ended = subprocess.run(
        [sys.executable, "-m", "moestro_engine.standalone", str(tmp_path / "start.bin")],
        env=environment(**place),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert ended.returncode != 0
    line = ended.stderr.strip().splitlines()[-1]
    assert "UserError: rank 0, stage 0: out of memory, " in line
    assert "where the plan predicted 1.25 GB; give the stage fewer layers" in line


def test_what_the_pipeline_wraps_is_seen_through_and_both_stages_of_a_rank_are_named(tmp_path):
    plan = make_plan(make_job(tmp_path, num_layers=4, global_batch_size=16), stages=(1, 1, 1, 1), vpp=2, schedule="DUALPIPEV")
    wrapped = RuntimeError("stage 1 failed to run forward")
    wrapped.__cause__ = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(UserError) as caught, explained(plan, mesh_of(plan, 1), torch.device("cpu")):
        raise wrapped
    assert is_user_error(caught.value)
    assert describe(caught.value).startswith("rank 1, stage 1 and 2: out of memory, ")
    assert "the plan predicted none" in describe(caught.value)


def test_other_failures_pass_unchanged(tmp_path):
    plan = make_plan(make_job(tmp_path))
    with pytest.raises(ValueError, match="no memory of it"), explained(plan, mesh_of(plan, 0), torch.device("cpu")):
        raise ValueError("no memory of it")
