"""The data order: every window once an epoch, disjoint over data-parallel ranks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from moestro_engine.data.order import DataOrder, num_windows, validation_windows
from moestro_engine.data.permutation import Permutation


def one_source(num_windows: int, global_batch_size: int, seed: int) -> DataOrder:
    return DataOrder([num_windows], [1.0], global_batch_size, seed)


@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
@settings(max_examples=60, deadline=None)
def test_a_permutation_holds_every_index_once(size, key):
    permutation = Permutation(size, key)
    assert sorted(permutation[i] for i in range(size)) == list(range(size))


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 2**63 - 1))
@settings(max_examples=60, deadline=None)
def test_every_window_comes_once_an_epoch_whatever_the_batch(windows, batch, seed):
    order = one_source(windows, batch, seed)
    num_steps = -(-3 * windows // batch)
    seen = [window.index for step in range(1, num_steps + 1) for window in order.windows(step, 0, 1)]
    for epoch in range(3):
        assert sorted(seen[epoch * windows : (epoch + 1) * windows]) == list(range(windows))


@given(st.integers(1, 500), st.integers(1, 4), st.sampled_from([1, 2, 4]), st.integers(1, 50), st.integers(0, 2**63 - 1))
@settings(max_examples=60, deadline=None)
def test_data_parallel_ranks_share_out_the_very_batch_of_one_rank(windows, share, dp, step, seed):
    order = one_source(windows, share * dp, seed)
    parts = [order.windows(step, dp_rank, dp) for dp_rank in range(dp)]
    assert [window for part in parts for window in part] == order.windows(step, 0, 1)


def test_epochs_and_seeds_have_orders_of_their_own():
    order, other = one_source(100, 100, seed=1), one_source(100, 100, seed=2)
    assert order.windows(1, 0, 1) != order.windows(2, 0, 1)
    assert order.windows(1, 0, 1) != other.windows(1, 0, 1)


def test_the_order_never_changes_between_versions():
    assert [window.index for window in one_source(1000, 6, seed=1).windows(1, 0, 1)] == [182, 396, 579, 851, 900, 774]


def test_windows_leave_room_for_the_last_target():
    assert num_windows(num_tokens=257, sequence_length=64) == 4
    assert num_windows(num_tokens=256, sequence_length=64) == 3


def test_validation_windows_lie_evenly_and_inside_the_file():
    batches = [validation_windows([100], [1.0], batch, num_batches=4, global_batch_size=5) for batch in range(4)]
    assert [window.index for batch in batches for window in batch] == list(range(0, 100, 5))
