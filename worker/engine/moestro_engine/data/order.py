"""Which window of the text every sample of every step is: a pure function of seed and step."""

from functools import lru_cache

from moestro_engine.data.permutation import Permutation, mix64


def num_windows(num_tokens: int, sequence_length: int) -> int:
    """Windows of ``sequence_length`` inputs and the target after the last one, side by side."""
    return (num_tokens - 1) // sequence_length


class DataOrder:
    """Every window once an epoch, in a new seeded order each epoch."""

    def __init__(self, num_windows: int, global_batch_size: int, seed: int) -> None:
        self.num_windows = num_windows
        self.global_batch_size = global_batch_size
        self._seed = seed
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    def _make_epoch(self, epoch: int) -> Permutation:
        return Permutation(self.num_windows, mix64(self._seed & (2**64 - 1)) ^ epoch)

    def window(self, sample: int) -> int:
        """The window of a global sample number, counted from the run's start."""
        epoch, position = divmod(sample, self.num_windows)
        return self._epoch(epoch)[position]

    def windows(self, step: int, dp_rank: int, dp: int) -> list[int]:
        """The windows of one data-parallel rank in a one-based step, micro-batch after micro-batch.

        The global batch is cut into dp contiguous shares, so the micro-batches of a step are the same
        sets of sequences whatever dp is, and tp and pp do not enter.
        """
        share = self.global_batch_size // dp
        first = (step - 1) * self.global_batch_size + dp_rank * share
        return [self.window(first + j) for j in range(share)]


def validation_windows(num_windows: int, batch: int, num_batches: int, global_batch_size: int) -> list[int]:
    """The fixed windows of one validation batch: all batches together lie evenly over the file."""
    total = num_batches * global_batch_size
    return [(batch * global_batch_size + j) * num_windows // total for j in range(global_batch_size)]
