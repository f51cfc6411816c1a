"""Ranges of flat tensors as boxes: every range of many small shapes."""

import itertools
from math import prod

import pytest
import torch

from moestro_engine.checkpoint.boxes import boxes_of_range

SHAPES = [(), (1,), (7,), (1, 1), (3, 4), (4, 1), (1, 5), (2, 3, 4), (3, 1, 2), (2, 2, 2, 2), (1, 3, 1, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_boxes_of_every_range_are_its_values_in_order(shape):
    numbers = torch.arange(prod(shape)).view(shape)
    for start, end in itertools.combinations(range(prod(shape) + 1), 2):
        boxes = boxes_of_range(shape, start, end)
        parts = [numbers[tuple(slice(o, o + n) for o, n in zip(*box, strict=True))] for box in boxes]
        assert [tuple(part.shape) for part in parts] == [lengths for _, lengths in boxes]
        assert torch.cat([part.reshape(-1) for part in parts]).tolist() == list(range(start, end))
        assert len(boxes) <= max(1, 2 * len(shape) - 1)


def test_an_empty_range_has_no_box_and_a_whole_one_has_one():
    assert boxes_of_range((3, 4), 5, 5) == []
    assert boxes_of_range((0, 4), 0, 0) == []
    assert boxes_of_range((3, 4, 2), 0, 24) == [((0, 0, 0), (3, 4, 2))]


def test_a_range_of_rows_is_one_box_and_one_that_begins_and_ends_inside_rows_is_three():
    assert boxes_of_range((5, 4), 4, 12) == [((1, 0), (2, 4))]
    assert boxes_of_range((5, 4), 2, 13) == [((0, 2), (1, 2)), ((1, 0), (2, 4)), ((3, 0), (1, 1))]
