"""Which window of which source every sample of every step is: a pure function of seed and step."""

from functools import lru_cache
from typing import NamedTuple

from moestro_engine.data.blend import Blend
from moestro_engine.data.permutation import MASK_64, Permutation, mix64


class Window(NamedTuple):
    """A window of a source; both from 0."""

    source: int
    index: int


def num_windows(num_tokens: int, sequence_length: int) -> int:
    """Windows of ``sequence_length`` inputs and the target after the last one, side by side."""
    return (num_tokens - 1) // sequence_length


class SourceOrder:
    """Every window of one source once an epoch, in a new seeded order each epoch."""

    def __init__(self, num_windows: int, seed: int) -> None:
        self.num_windows = num_windows
        self._seed = seed
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    def _make_epoch(self, epoch: int) -> Permutation:
        return Permutation(self.num_windows, mix64(self._seed & MASK_64) ^ epoch)

    def window(self, sample: int) -> int:
        """The window of a sample number of this source, counted from the run's start."""
        epoch, position = divmod(sample, self.num_windows)
        return self._epoch(epoch)[position]


class DataOrder:
    """The samples of a run: sources in the proportions of their weights, each in its own order and epochs."""

    def __init__(self, num_windows: list[int], weights: list[float], global_batch_size: int, seed: int) -> None:
        self.global_batch_size = global_batch_size
        self._blend = Blend(weights)
        # Sources of one size must not be walked in one order.
        self._sources = [SourceOrder(count, seed ^ (mix64(i) if i else 0)) for i, count in enumerate(num_windows)]

    def window(self, sample: int) -> Window:
        """The window of a global sample number, counted from the run's start."""
        pick = self._blend.pick(sample)
        return Window(pick.source, self._sources[pick.source].window(pick.sample))

    def windows(self, step: int, dp_rank: int, dp: int) -> list[Window]:
        """The windows of one data-parallel rank in a one-based step, micro-batch after micro-batch.

        The global batch is cut into dp contiguous shares, so the micro-batches of a step are the same
        sets of sequences whatever dp is, and tp and pp do not enter.
        """
        share = self.global_batch_size // dp
        first = (step - 1) * self.global_batch_size + dp_rank * share
        return [self.window(first + j) for j in range(share)]


def validation_windows(
    num_windows: list[int], weights: list[float], batch: int, num_batches: int, global_batch_size: int
) -> list[Window]:
    """The fixed windows of one validation batch: all batches together lie evenly over each source's share."""
    blend = Blend(weights)
    taken = blend.taken(num_batches * global_batch_size)
    picks = [blend.pick(sample) for sample in range(batch * global_batch_size, (batch + 1) * global_batch_size)]
    return [Window(source, sample * num_windows[source] // taken[source]) for source, sample in picks]
