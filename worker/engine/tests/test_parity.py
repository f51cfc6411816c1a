"""One model, one seed, 20 steps: the layout must not show in losses or gradient norms."""

import pytest
from spawn import StepSums, train_standalone

from helpers import make_job, make_plan

# The demo's model with six layers, on batches small enough for a test: four micro-batches of one sequence.
SMALL = {"num_layers": 6, "steps": 20, "capacity_factor": 0, "sequence_length": 64, "global_batch_size": 4, "warmup_steps": 5}
LAYOUTS = {
    "expert data parallel, tp = ep = 2": {"tp": 2},
    "pipeline of stages [4, 2]": {"stages": (4, 2)},
    "the demo's four ranks: stages [4, 2] and tp = ep = 2": {"stages": (4, 2), "tp": 2},
    "data parallel 2": {"dp": 2},
    "full recompute of every layer, tp = ep = 2": {"tp": 2, "recompute": True},
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def one_rank(cache, tmp_path_factory) -> dict[int, StepSums]:
    job = make_job(cache, **SMALL)
    return train_standalone(tmp_path_factory.mktemp("one") / "run", job, make_plan(job, micro_batch=1), alpha=0.01)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_twenty_steps_agree_with_one_rank(layout, one_rank, cache, tmp_path):
    job = make_job(cache, **SMALL)
    steps = train_standalone(tmp_path / "run", job, make_plan(job, micro_batch=1, **layout), alpha=0.01)
    assert_same(steps, one_rank)


def test_tied_embeddings_and_fewer_key_value_heads_than_ranks_agree_too(cache, tmp_path):
    job = make_job(cache, **SMALL | {"num_layers": 2, "steps": 5, "num_kv_heads": 1, "tied_embeddings": True})
    alone = train_standalone(tmp_path / "one", job, make_plan(job, micro_batch=1), alpha=0.01)
    spread = train_standalone(tmp_path / "four", job, make_plan(job, micro_batch=1, tp=2, stages=(1, 1)), alpha=0.01)
    assert_same(spread, alone)


def assert_same(steps: dict[int, StepSums], expected: dict[int, StepSums]) -> None:
    assert steps.keys() == expected.keys()
    for step, sums in steps.items():
        reference = expected[step]
        assert sums.loss_tokens == reference.loss_tokens
        assert sums.loss == pytest.approx(reference.loss, rel=1e-5), f"loss of step {step}"
        assert sums.gradient_norm == pytest.approx(reference.gradient_norm, rel=1e-5), f"gradient norm of step {step}"
        assert sums.routed == reference.routed
        assert not any(sums.dropped.values())
    last = max(expected)
    assert steps[last].validation_tokens == expected[last].validation_tokens > 0
    assert steps[last].validation_loss_sum == pytest.approx(expected[last].validation_loss_sum, rel=1e-5)
