"""When a loss stops being a number: find out where, once, on all ranks."""

import torch
import torch.distributed as dist

from moestro_engine.errors import EngineError
from moestro_engine.model.transformer import StageModel


def non_finite_error(step: int, model: StageModel, first_layer: int, rank: int, device: torch.device) -> EngineError:
    """Name the first layer whose gate saw values that are not finite; collective over the world."""
    balance = model.balance.latest
    bad = ~balance.sums_L2E[:, 0].isfinite().all(dim=-1)
    none = 1 << 40
    layer = first_layer + int(bad.nonzero()[0]) if bool(bad.any()) else none
    # One number orders by layer first, then by rank.
    where = torch.tensor(layer * (1 << 20) + rank, dtype=torch.int64, device=device)
    dist.all_reduce(where, op=dist.ReduceOp.MIN)
    layer, rank = divmod(int(where), 1 << 20)
    place = f"first in layer {layer} on rank {rank}" if layer < none else "in the head or in a gradient"
    return EngineError(
        f"step {step}: the loss or its gradient is not finite, {place}; lower training.learningRate or set "
        "training.clipGradNorm, and continue from the last checkpoint"
    )
