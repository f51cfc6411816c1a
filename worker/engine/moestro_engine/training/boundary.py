"""The one collective of the whole world in a step: what was measured, and what happens next.

Every rank adds its sums; rank 0 alone adds its control values, so for those the sum is a broadcast.
It runs after the backward pass and before clipping.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist

from moestro_engine.training.coefficients import ControlValues

NUM_FIELDS = 7


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
    # A checkpoint is written at this step's end, and training goes on.
    save: bool
    # What applies in the next step.
    next_control: ControlValues


def pack(boundary: Boundary, device: torch.device) -> torch.Tensor:
    """fp64 [7 + layers * (1 + experts, with selection biases)]."""
    fields: Sequence[float] = (
        boundary.loss_sum,
        boundary.loss_tokens,
        boundary.squared_gradient_norm,
        boundary.agents_gone,
        boundary.stop,
        boundary.stop_with_checkpoint,
        boundary.save,
    )
    return torch.cat([torch.tensor(fields, dtype=torch.float64), boundary.next_control.flat()]).to(device)


def unpack(vector: torch.Tensor, num_layers: int) -> Boundary:
    vector = vector.cpu()
    loss_sum, tokens, norm, gone, stop, with_checkpoint, save = vector[:NUM_FIELDS].tolist()
    control = ControlValues.of_flat(vector[NUM_FIELDS:], num_layers)
    return Boundary(loss_sum, tokens, norm, gone, stop > 0, with_checkpoint > 0, save > 0, control)


def exchange(mine: Boundary, device: torch.device) -> Boundary:
    """Sum over the world."""
    vector = pack(mine, device)
    dist.all_reduce(vector)
    return unpack(vector, len(mine.next_control.coefficients))
