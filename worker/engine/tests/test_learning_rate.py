"""The learning-rate schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moestro.v1 import job_pb2
from moestro_engine.training.learning_rate import learning_rate


def schedule(steps: int, warmup: int) -> job_pb2.TrainingConfig:
    return job_pb2.TrainingConfig(steps=steps, warmup_steps=warmup, learning_rate=1.0, min_learning_rate=0.1)


def test_the_rate_rises_linearly_falls_by_a_cosine_and_ends_at_the_minimum():
    # Warm-up 10 of 110 steps; half way down the cosine, at step 60, the rate is (1 + 0.1) / 2.
    rates = [learning_rate(step, schedule(110, 10)) for step in (1, 5, 10, 60, 110)]
    assert rates == pytest.approx([0.1, 0.5, 1.0, 0.55, 0.1])


@given(st.integers(1, 500), st.data())
def test_the_rate_stays_within_bounds_and_turns_once(steps, data):
    warmup = data.draw(st.integers(0, steps))
    rates = [learning_rate(step, schedule(steps, warmup)) for step in range(1, steps + 1)]
    assert all(0 < rate <= 1.0 for rate in rates)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
