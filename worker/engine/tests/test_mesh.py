"""The mesh: coordinates, and refusals in one line."""

import pytest

from helpers import make_job, make_plan
from moestro_engine.errors import UserError
from moestro_engine.parallel.check_plan import check_plan, stage_ranks
from moestro_engine.parallel.mesh import mesh_of


def test_tensor_parallel_ranks_are_neighbours_and_pipeline_ranks_farthest(tmp_path):
    job = make_job(tmp_path, num_layers=4)
    plan = make_plan(job, tp=2, dp=2, stages=(2, 2))
    coordinates = [(m.tp_rank, m.dp_rank, m.pp_rank) for m in (mesh_of(plan, rank) for rank in range(8))]
    assert coordinates == [(t, d, p) for p in range(2) for d in range(2) for t in range(2)]
    assert [mesh_of(plan, 5).on_stage(stage) for stage in (0, 1)] == [1, 5]


def test_factors_that_do_not_fit_the_world_are_all_named(tmp_path):
    plan = make_plan(make_job(tmp_path), tp=2)
    plan.world_size = 3
    with pytest.raises(UserError, match=r"tp 2 \* cp 1 \* dp 1 \* pp 1 = 2, .* world 3"):
        mesh_of(plan, 0)


def test_experts_lie_over_the_same_ranks_as_attention_with_columns_fastest(tmp_path):
    plan = make_plan(make_job(tmp_path), tp=2, cp=2, dp=2, etp=2, ep=2)
    meshes = [mesh_of(plan, rank) for rank in range(8)]
    assert [(m.tp_rank, m.cp_rank, m.dp_rank) for m in meshes] == [
        (t, c, d) for d in range(2) for c in range(2) for t in range(2)
    ]
    assert [(m.etp_rank, m.ep_rank, m.expert_dp_rank) for m in meshes] == [
        (t, e, d) for d in range(2) for e in range(2) for t in range(2)
    ]
    assert [m.sequence_rank for m in meshes] == [0, 1, 2, 3] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 5}, "must divide 5 heads"),
        ({"num_experts": 7}, "does not divide 7 experts"),
        ({"sequence_length": 127}, "does not divide training.sequenceLength 127"),
        ({"dense_ffn_hidden_size": 33}, "does not divide model.denseFfnHiddenSize 33"),
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


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"tp": 2, "etp": 2, "ep": 1, "ffn_hidden_size": 33}, "expertTensorParallel: 2 does not divide model.ffnHiddenSize 33"),
        ({"stages": (1, 1, 1, 1)}, "1f1b over 4 ranks needs 4 micro-batches or more, got 2"),
        ({"stages": (2, 2), "schedule": "INTERLEAVED"}, "virtualPipeline: 1 with schedule interleaved on 2 pipeline ranks"),
        ({"stages": (1, 1, 1, 1), "vpp": 2}, "virtualPipeline: 2 with schedule 1f1b"),
        (
            {"stages": (1, 1, 1, 1), "vpp": 2, "schedule": "DUALPIPEV"},
            "dualpipev over 2 ranks needs 4 micro-batches or more, got 2",
        ),
        (
            {"stages": (2, 2), "schedule": "ZERO_BUBBLE", "recompute": ("selective",)},
            "selective does not go with schedule zero-bubble",
        ),
        (
            {"stages": (2, 2), "schedule": "ZERO_BUBBLE", "sharding": "FSDP"},
            "training.optimizerSharding: fsdp does not run under schedule zero-bubble",
        ),
        (
            {"stages": (2, 2), "vpp": 2, "schedule": "DUALPIPEV", "sharding": "FSDP"},
            "training.optimizerSharding: fsdp does not run under schedule dualpipev",
        ),
    ],
)
def test_what_a_schedule_cannot_run_is_refused(tmp_path, layout, message):
    sizes = {"num_layers": 4, "global_batch_size": 8, "ffn_hidden_size": layout.pop("ffn_hidden_size", 32)}
    plan = make_plan(job := make_job(tmp_path, **sizes), **layout)
    with pytest.raises(UserError, match=message):
        check_plan(plan, job, mesh_of(plan, 0))


def test_stages_go_round_the_ranks_and_back_under_dualpipev(tmp_path):
    job = make_job(tmp_path, num_layers=4)
    assert stage_ranks(make_plan(job, stages=(1, 1, 1, 1), vpp=2, schedule="INTERLEAVED")) == [0, 1, 0, 1]
    assert stage_ranks(make_plan(job, stages=(1, 1, 1, 1), vpp=2, schedule="DUALPIPEV")) == [0, 1, 1, 0]
    assert stage_ranks(make_plan(job, stages=(2, 2))) == [0, 1]
