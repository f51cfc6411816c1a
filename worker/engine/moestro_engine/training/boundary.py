"""The one collective of the whole world in a step: what was measured, and what happens next.

Every rank adds its sums; rank 0 alone adds its control values, so for those the sum is a broadcast.
It runs after the backward pass and before clipping.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Boundary:
    """A rank's contribution, and after the exchange the same on every rank."""

    loss_sum: float
    loss_tokens: float
    squared_gradient_norm: float
    # Number of ranks whose agent has gone: they all leave together.
    agents_gone: float
    stop: bool
    stop_with_checkpoint: bool
    next_coefficients: tuple[float, ...]


def pack(boundary: Boundary, device: torch.device) -> torch.Tensor:
    """fp64 [6 + layers]."""
    fields: Sequence[float] = (
        boundary.loss_sum,
        boundary.loss_tokens,
        boundary.squared_gradient_norm,
        boundary.agents_gone,
        boundary.stop,
        boundary.stop_with_checkpoint,
    )
    return torch.tensor([*fields, *boundary.next_coefficients], dtype=torch.float64, device=device)


def unpack(vector: torch.Tensor) -> Boundary:
    loss_sum, tokens, norm, gone, stop, with_checkpoint, *coefficients = vector.tolist()
    return Boundary(loss_sum, tokens, norm, gone, stop > 0, with_checkpoint > 0, tuple(coefficients))


def exchange(mine: Boundary, device: torch.device) -> Boundary:
    """Sum over the world."""
    vector = pack(mine, device)
    dist.all_reduce(vector)
    return unpack(vector)
