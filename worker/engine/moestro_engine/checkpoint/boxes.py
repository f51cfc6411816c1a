"""From a contiguous range of a row-major tensor to boxes of it."""

from collections.abc import Sequence
from math import prod

# Offsets and shape of a box, in the coordinates of the whole tensor.
Box = tuple[tuple[int, ...], tuple[int, ...]]


def boxes_of_range(shape: Sequence[int], start: int, end: int) -> list[Box]:
    """The boxes that values ``start`` to ``end`` (exclusive) of a row-major tensor of ``shape`` are made of.

    They are disjoint, at most 2 · dimensions - 1, and their values one box after the other are the range's
    values in order: a partial first row, whole rows, a partial last row, each partial one cut up the same way.
    """
    if start >= end:
        return []
    if not shape:
        return [((), ())]
    row = prod(shape[1:])
    first, into_first = divmod(start, row)
    last, into_last = divmod(end, row)
    if first == last:
        return _in_row(shape, first, into_first, into_last)
    boxes = _in_row(shape, first, into_first, row) if into_first else []
    whole = first + 1 if into_first else first
    if whole < last:
        boxes.append(((whole, *(0 for _ in shape[1:])), (last - whole, *shape[1:])))
    return boxes + _in_row(shape, last, 0, into_last)


def _in_row(shape: Sequence[int], row: int, start: int, end: int) -> list[Box]:
    return [((row, *offsets), (1, *lengths)) for offsets, lengths in boxes_of_range(shape[1:], start, end)]
