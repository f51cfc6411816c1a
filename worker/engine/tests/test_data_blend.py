"""Blending by weight: proportions, one order whatever the ranks, resumable anywhere."""

from hypothesis import given, settings
from hypothesis import strategies as st

from moestro_engine.data.blend import MAX_BLOCK, Blend, whole_weights
from moestro_engine.data.order import DataOrder, validation_windows

WEIGHTS = st.lists(st.integers(1, 50), min_size=1, max_size=6).map(lambda wholes: [whole / 10 for whole in wholes])
SIZES = st.lists(st.integers(1, 40), min_size=3, max_size=3)


@given(WEIGHTS, st.integers(1, 2000))
@settings(max_examples=60, deadline=None)
def test_at_every_moment_each_source_has_its_share_to_within_the_number_of_sources(weights, samples):
    blend = Blend(weights)
    taken = [0] * len(weights)
    for sample in range(samples):
        source, its_sample = blend.pick(sample)
        assert its_sample == taken[source]
        taken[source] += 1
        for count, weight in zip(taken, weights, strict=True):
            assert abs(count - weight / sum(weights) * (sample + 1)) < max(1, len(weights) - 1)
    assert blend.taken(samples) == taken


def test_the_source_furthest_behind_its_share_comes_next():
    blend = Blend([5, 3, 2])
    # n * w - taken, from n = 1: .5 .3 .2, then 0 .6 .4, .5 -.1 .6 and so on.
    assert [blend.pick(sample).source for sample in range(10)] == [0, 1, 2, 0, 0, 1, 0, 2, 1, 0]


def test_weights_need_not_sum_to_one_and_are_exact_where_they_can_be():
    assert whole_weights([0.7, 0.2, 0.1]) == [7, 2, 1]
    assert whole_weights([70, 20, 10]) == [7, 2, 1]
    assert whole_weights([0.3]) == [1]
    assert whole_weights([1e-3, 1]) == [1, 1000]


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_rounded_weights_stay_next_to_what_was_asked_for(weights):
    wholes = whole_weights(weights)
    assert sum(wholes) <= MAX_BLOCK + len(weights)
    for whole, weight in zip(wholes, weights, strict=True):
        assert whole >= 1
        assert abs(whole / sum(wholes) - weight / sum(weights)) < (len(weights) + 1) / MAX_BLOCK


@given(SIZES, WEIGHTS.filter(lambda weights: len(weights) >= 3), st.integers(0, 2**63 - 1))
@settings(max_examples=40, deadline=None)
def test_each_source_gives_every_window_once_an_epoch_of_its_own(sizes, weights, seed):
    order = DataOrder(sizes, weights[:3], 4, seed)
    seen = [[], [], []]
    for step in range(1, 100):
        for source, index in order.windows(step, 0, 1):
            seen[source].append(index)
    for size, indices in zip(sizes, seen, strict=True):
        for epoch in range(len(indices) // size):
            assert sorted(indices[epoch * size : (epoch + 1) * size]) == list(range(size))


@given(SIZES, st.integers(1, 4), st.sampled_from([1, 2, 4]), st.integers(1, 10**12), st.integers(0, 2**63 - 1))
@settings(max_examples=60, deadline=None)
def test_any_step_is_known_without_the_ones_before_and_shared_out_over_ranks(sizes, share, dp, step, seed):
    weights = [0.5, 0.3, 0.2]
    whole = DataOrder(sizes, weights, share * dp, seed)
    # As after a resume: nothing was asked of this one before.
    resumed = DataOrder(sizes, weights, share * dp, seed)
    parts = [window for dp_rank in range(dp) for window in resumed.windows(step, dp_rank, dp)]
    whole.windows(1, 0, 1)
    assert parts == whole.windows(step, 0, 1)


def test_sources_of_one_size_are_walked_in_orders_of_their_own():
    order = DataOrder([100, 100], [1, 1], 200, seed=1)
    windows = order.windows(1, 0, 1)
    first, second = ([index for source, index in windows if source == wanted] for wanted in (0, 1))
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second


def test_a_blended_order_never_changes_between_versions():
    windows = DataOrder([1000, 50], [0.75, 0.25], 6, seed=1).windows(1, 0, 1)
    assert windows == [(0, 182), (0, 396), (1, 44), (0, 579), (0, 851), (0, 900)]


def test_validation_has_the_blends_proportions_and_lies_evenly_over_each_source():
    batches = [validation_windows([90, 10], [3, 1], batch, num_batches=2, global_batch_size=4) for batch in range(2)]
    windows = [window for batch in batches for window in batch]
    assert [index for source, index in windows if source == 0] == [0, 15, 30, 45, 60, 75]
    assert [index for source, index in windows if source == 1] == [0, 5]
