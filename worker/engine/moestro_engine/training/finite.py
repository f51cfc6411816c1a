"""When a loss stops being a number: find out where, once, on all ranks."""

import torch
import torch.distributed as dist

from moestro_engine.errors import EngineError
from moestro_engine.parallel.parallelize import Chunk


def non_finite_error(step: int, chunks: list[Chunk], rank: int, device: torch.device) -> EngineError:
    """Name the first layer whose gate saw values that are not finite; collective over the world."""
    none = 1 << 40
    layer = min((first for chunk in chunks if (first := _first_bad_layer(chunk)) is not None), default=none)
    # One number orders by layer first, then by rank.
    where = torch.tensor(layer * (1 << 20) + rank, dtype=torch.int64, device=device)
    dist.all_reduce(where, op=dist.ReduceOp.MIN)
    layer, rank = divmod(int(where), 1 << 20)
    place = f"first in layer {layer} on rank {rank}" if layer < none else "in the head or in a gradient"
    return EngineError(
        f"step {step}: the loss or its gradient is not finite, {place}; lower training.learningRate or set "
        "training.clipGradNorm, and continue from the last checkpoint"
    )


def _first_bad_layer(chunk: Chunk) -> int | None:
    """By this rank's own gates, in all micro-batches of the step."""
    layers = chunk.model.balance.has_bad_gates_L.nonzero()
    return chunk.stage.first_layer + int(layers[0]) if len(layers) > 0 else None
