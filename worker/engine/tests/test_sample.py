"""Drawing a byte from the model's logits."""

import torch

from moestro_engine.training.sample import draw_byte


def test_only_bytes_are_drawn_however_large_the_vocabulary():
    logits = torch.zeros(1000)
    logits[256:] = 50.0
    points = torch.linspace(0, 1, 257, dtype=torch.float64)[:-1] + 1e-4
    assert [draw_byte(logits, point[None]) for point in points] == list(range(256))
    assert draw_byte(logits, torch.tensor([1 - 1e-16], dtype=torch.float64)) == 255
