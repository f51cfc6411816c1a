"""A checkpoint's copy on the way to the host while the device goes on changing the state."""

import torch
from moestro_engine.checkpoint.snapshot import Snapshot
from moestro_engine.checkpoint.state import Slice

NUM_TENSORS = 8
# 16 MB each: long on the way.
LENGTH = 4 << 20


def check_snapshot(device: torch.device) -> list[dict[str, object]]:
    """Twice, for the second fills the buffers of the first; what is overwritten meanwhile must not show."""
    snapshot = Snapshot()
    tensors = [torch.empty(LENGTH, device=device) for _ in range(NUM_TENSORS)]
    slices = [
        Slice(f"model.{index}", tensor, (LENGTH,), (0,), True)
        for index, tensor in enumerate(tensors)
    ]
    difference = 0.0
    for value in (1.0, 2.0):
        for tensor in tensors:
            tensor.fill_(value)
        copies = snapshot.take(slices)
        for tensor in tensors:
            tensor.fill_(-1.0)
        snapshot.ready()
        away = [(copy.tensor - value).abs().max().item() for copy in copies]
        difference = max(difference, *away)
    found = {"what": "checkpoint's copy while training goes on", "dtype": "float32"}
    found["sizes"] = f"{NUM_TENSORS} tensors of {LENGTH * 4 / 1e6:.0f} MB"
    found |= {"difference": difference, "tolerance": 0.0}
    return [found | {"passed": difference == 0.0}]
