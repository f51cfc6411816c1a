"""The mesh: coordinates, and refusals in one line."""

import pytest

from helpers import make_job, make_plan
from moestro.v1 import plan_pb2
from moestro_engine.errors import UserError
from moestro_engine.parallel.mesh import check_plan, mesh_of


def test_tensor_parallel_ranks_are_neighbours_and_pipeline_ranks_farthest(tmp_path):
    job = make_job(tmp_path, num_layers=4)
    plan = make_plan(job, tp=2, dp=2, stages=(2, 2))
    coordinates = [(m.tp_rank, m.dp_rank, m.pp_rank) for m in (mesh_of(plan, rank) for rank in range(8))]
    assert coordinates == [(t, d, p) for p in range(2) for d in range(2) for t in range(2)]
    assert all(mesh_of(plan, rank).rank_at(*coordinates[rank]) == rank for rank in range(8))


def test_factors_that_do_not_fit_the_world_are_all_named(tmp_path):
    plan = make_plan(make_job(tmp_path), tp=2)
    plan.world_size = 3
    with pytest.raises(UserError, match=r"tp 2 \* cp 1 \* dp 1 \* pp 1 = 2, .* world 3"):
        mesh_of(plan, 0)


def test_a_scheme_the_engine_does_not_run_is_refused(tmp_path):
    plan = make_plan(make_job(tmp_path), tp=2)
    plan.layout.scheme = plan_pb2.SCHEME_ETP
    with pytest.raises(UserError, match="runs scheme edp"):
        mesh_of(plan, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 5}, "must divide 5 heads"),
        ({"num_experts": 7}, "does not divide 7 experts"),
        ({"sequence_length": 127}, "does not divide training.sequenceLength 127"),
    ],
)
def test_what_does_not_divide_is_named_with_its_numbers(tmp_path, changes, message):
    job = make_job(tmp_path, **changes)
    plan = make_plan(job, tp=2)
    with pytest.raises(UserError, match=message):
        check_plan(plan, job, mesh_of(plan, 0))


def test_a_batch_that_does_not_fit_and_stages_that_do_not_cover_are_refused(tmp_path):
    job = make_job(tmp_path, num_layers=4)
    plan = make_plan(job, stages=(2, 2))
    plan.num_micro_batches += 1
    with pytest.raises(UserError, match="globalBatchSize"):
        check_plan(plan, job, mesh_of(plan, 0))
    plan = make_plan(job, stages=(2, 2))
    plan.stages[1].num_layers = 1
    with pytest.raises(UserError, match=r"stages of \[2, 1\] layers do not cover 4 layers"):
        check_plan(plan, job, mesh_of(plan, 0))
