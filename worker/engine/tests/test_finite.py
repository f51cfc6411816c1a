"""A loss that is not a number: on real ranks, one of which has NaN in one layer of one micro-batch."""

import itertools
import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from helpers import make_job, make_plan
from moestro.v1 import job_pb2, plan_pb2, rank_pb2
from moestro_engine.data.prepare import prepare_data
from moestro_engine.errors import EngineError
from moestro_engine.link.file_link import FileLink
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.moe import MoeLayer
from moestro_engine.rank import run_rank

TIMEOUT_S = 100
SIZES = {
    **{"num_layers": 3, "hidden_size": 16, "num_heads": 2, "num_kv_heads": 2, "head_dim": 8, "ffn_hidden_size": 8},
    **{"num_experts": 4, "sequence_length": 16, "global_batch_size": 4, "steps": 1},
}


def break_layer(layer: int, micro_batch: int) -> None:
    """From here on this process has NaN in what enters the layer, in the training passes of this micro-batch."""
    whole, passes = MoeLayer.forward, itertools.count(1)

    def forward(self, x_BSD, index, balance):
        is_broken = balance is not None and index == layer and next(passes) == micro_batch
        return whole(self, x_BSD * torch.nan if is_broken else x_BSD, index, balance)

    MoeLayer.forward = forward


def run(folder: Path, rank: int, job: job_pb2.EngineJob, plan: plan_pb2.Plan, broken_rank: int, micro_batch: int) -> None:
    """One rank of a run; what it dies of goes into a file."""
    torch.set_num_threads(1)
    if rank == broken_rank:
        break_layer(1, micro_batch)
    assignment = rank_pb2.RankAssignment(
        run_id="test", generation=1, rank=rank, local_rank=rank, plan=plan, job=job, collective_timeout_ms=30_000
    )
    assignment.coefficients.add(effective_step=1, values=[0.01] * job.model.num_layers)
    store = dist.FileStore(str(folder / "store"), plan.world_size)
    try:
        run_rank(assignment, FileLink(folder / f"rank-{rank}.jsonl"), lambda: store, prepare_data(job))
    except EngineError as error:
        (folder / f"error-{rank}").write_text(str(error))


def errors_of(folder: Path, job: job_pb2.EngineJob, plan: plan_pb2.Plan, *broken: int) -> set[str]:
    """What the ranks of a run die of."""
    context = multiprocessing.get_context("spawn")
    ranks = [context.Process(target=run, args=(folder, rank, job, plan, *broken)) for rank in range(plan.world_size)]
    for process in ranks:
        process.start()
    try:
        for process in ranks:
            process.join(TIMEOUT_S)
    finally:
        for process in ranks:
            process.kill()
    return {(folder / f"error-{rank}").read_text() for rank in range(plan.world_size)}


@pytest.mark.parametrize("without_padding", [False, True])
def test_nan_in_an_early_micro_batch_of_four_names_its_layer(tmp_path, without_padding):
    job = make_job(tmp_path / "cache", **SIZES, without_padding=without_padding)
    (told,) = errors_of(tmp_path, job, make_plan(job, micro_batch=1), 0, 2)
    assert told.startswith("step 1: the loss or its gradient is not finite, first in layer 1 on rank 0; lower ")


def test_of_ranks_that_share_a_sequence_the_one_with_the_nan_is_named(tmp_path):
    job = make_job(tmp_path / "cache", **SIZES)
    (told,) = errors_of(tmp_path, job, make_plan(job, tp=2, micro_batch=1), 1, 4)
    assert "first in layer 1 on rank 1;" in told


def test_a_new_step_forgets_the_last_ones_nan():
    moe = job_pb2.MoeConfig(num_experts=2, top_k=1)
    step = StepBalance(2, moe, 1.0, torch.device("cpu"))
    for value in (torch.nan, 0.0):
        balance = step.open(3)
        balance.sums_L2E[1, 0, 0] = value
        balance.close()
    assert step.has_bad_gates_L.tolist() == [False, True]
    step.reset()
    assert step.has_bad_gates_L.tolist() == [False, False]
