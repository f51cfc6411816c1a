"""The parts of parameters that a rank updates: fp32 master weights, AdamW over them, and how checkpoints name them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from zlib import crc32

import torch
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.checkpoint.boxes import Box
from moestro_engine.checkpoint.state import Slice
from moestro_engine.parallel.placement import Placed

# Values whose squares are added up in fp32 before fp64 takes over.
NORM_ROW = 1024


@dataclass(frozen=True)
class Piece:
    """Values of one parameter in one contiguous stretch of memory that is made up of boxes, one after the other."""

    placed: Placed
    # In the coordinates of the whole parameter.
    boxes: tuple[Box, ...]
    # fp32 [values]; its gradient is set once for all or at every step.
    weight: nn.Parameter
    # On how many ranks this very piece is updated, and which of them this is.
    num_replicas: int
    replica: int


def make_optimizer(pieces: Sequence[Piece], training: job_pb2.TrainingConfig) -> torch.optim.AdamW:
    """Fused AdamW with its state in place from the start, so that a checkpoint can be loaded into it.

    Norms, biases and the embedding are not decayed. A rank whose share is all padding has no pieces.
    """
    decayed, plain = [], []
    for piece in pieces:
        # By the name in the whole model: a tied head is the embedding.
        name = piece.placed.name
        is_plain = name.endswith(("norm.weight", "bias")) or name == "embedding.weight"
        (plain if is_plain else decayed).append(piece.weight)
    groups = [{"params": decayed, "weight_decay": training.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(
        groups,
        lr=training.learning_rate,
        betas=(training.adam_beta1, training.adam_beta2),
        eps=training.adam_epsilon,
        fused=True,
    )
    for piece in pieces:
        optimizer.state[piece.weight] = {
            "step": torch.zeros((), dtype=torch.float32, device=piece.weight.device),
            "exp_avg": torch.zeros_like(piece.weight),
            "exp_avg_sq": torch.zeros_like(piece.weight),
        }
    return optimizer


def squared_norm(flat: torch.Tensor) -> torch.Tensor:
    """Sum of squares of an fp32 vector, fp64: rows in fp32, their sums in fp64, which needs no copy of all values in fp64."""
    num_whole = flat.numel() // NORM_ROW * NORM_ROW
    rows = torch.linalg.vector_norm(flat[:num_whole].view(-1, NORM_ROW), dim=1).double()
    rest = torch.linalg.vector_norm(flat[num_whole:]).double()
    return rows.square().sum() + rest.square()


def step_optimizer(optimizer: torch.optim.AdamW, rate: float) -> None:
    """One update at this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def set_optimizer_step(optimizer: torch.optim.AdamW, step: int) -> None:
    """Set the count of updates that AdamW corrects its moments by."""
    for state in optimizer.state.values():
        state["step"].fill_(step)


def slices_of(pieces: Sequence[Piece], optimizer: torch.optim.AdamW) -> list[Slice]:
    """Weights and AdamW moments of this rank, box by box. Replicas share the writing, parameter by parameter."""
    slices = []
    for piece in pieces:
        name, state = piece.placed.name, optimizer.state[piece.weight]
        writes = piece.replica == crc32(name.encode()) % piece.num_replicas
        tensors = {
            f"model.{name}": piece.weight.detach(),
            f"optimizer.exp_avg.{name}": state["exp_avg"],
            f"optimizer.exp_avg_sq.{name}": state["exp_avg_sq"],
        }
        for full_name, flat in tensors.items():
            parts = flat.split([prod(shape) for _, shape in piece.boxes])
            slices += [
                Slice(full_name, part.view(shape), piece.placed.global_shape, offsets, writes)
                for part, (offsets, shape) in zip(parts, piece.boxes, strict=True)
            ]
    return slices
