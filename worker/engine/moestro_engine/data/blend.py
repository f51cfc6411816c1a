"""Which source each sample comes from: by weight, the one furthest behind first, a pure function of its number.

Sample n goes to the source with the largest n*w - taken (n from 1, w its share, ties to the first), as
Megatron's blends do. With whole weights of sum W this repeats after W samples, in which each source is
taken as often as its weight says; so one block of W picks answers for every sample, and a run resumes
anywhere without counting from the start.
"""

from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm
from typing import NamedTuple

# The longest block. Weights that need a longer one are rounded: by less than 1/2**16 of all samples.
MAX_BLOCK = 1 << 16


def whole_weights(weights: list[float]) -> list[int]:
    """Whole numbers in the weights' proportions; exact if their sum can be kept below ``MAX_BLOCK``, at least 1."""
    exact = [Fraction(repr(weight)) for weight in weights]
    factor = lcm(*(weight.denominator for weight in exact))
    wholes = [int(weight * factor) for weight in exact]
    divisor = gcd(*wholes)
    wholes = [whole // divisor for whole in wholes]
    total = sum(wholes)
    if total <= MAX_BLOCK:
        return wholes
    # Down first; the largest remainders get what is left.
    scaled = [max(1, whole * MAX_BLOCK // total) for whole in wholes]
    by_remainder = sorted(range(len(wholes)), key=lambda i: (-(wholes[i] * MAX_BLOCK % total), i))
    for i in by_remainder[: max(0, MAX_BLOCK - sum(scaled))]:
        scaled[i] += 1
    return scaled


class Pick(NamedTuple):
    """A sample's source, and which of that source's samples it is, from 0."""

    source: int
    sample: int


class Blend:
    """The sources of all samples, for weights above zero."""

    def __init__(self, weights: list[float]) -> None:
        self._wholes = whole_weights(weights)
        self._block = _picks(tuple(self._wholes))

    def pick(self, sample: int) -> Pick:
        """The pick of a sample number, counted from the run's start."""
        block, position = divmod(sample, len(self._block))
        first = self._block[position]
        return Pick(first.source, block * self._wholes[first.source] + first.sample)

    def taken(self, num_samples: int) -> list[int]:
        """How many of the first samples each source gives."""
        blocks, rest = divmod(num_samples, len(self._block))
        sources = [pick.source for pick in self._block[:rest]]
        return [blocks * whole + sources.count(source) for source, whole in enumerate(self._wholes)]


@lru_cache(maxsize=2)
def _picks(wholes: tuple[int, ...]) -> list[Pick]:
    """One block: as many picks of each source as its whole weight."""
    total = sum(wholes)
    behind, taken = [0] * len(wholes), [0] * len(wholes)
    picks = []
    for _ in range(total):
        behind = [so_far + whole for so_far, whole in zip(behind, wholes, strict=True)]
        source = behind.index(max(behind))
        behind[source] -= total
        picks.append(Pick(source, taken[source]))
        taken[source] += 1
    return picks
