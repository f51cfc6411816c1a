"""Tokens to rows of the experts' input, and the experts' rows back to tokens."""

import torch

from moestro_engine.kernels.permute import permute, unpermute
from moestro_engine.model.capacity import Placing


def dispatch(x_TD: torch.Tensor, placing: Placing) -> torch.Tensor:
    """The experts' input [R, D]; rows that are padding hold something finite and never come back."""
    return permute(x_TD, placing.assignment_R, placing.valid_R, placing.row_TK, placing.valid_TK)


def combine(rows_RD: torch.Tensor, placing: Placing, weight_TK: torch.Tensor) -> torch.Tensor:
    """y_t = sum_k weight_tk * row(t, k), with nothing where the assignment was dropped: [T, D]."""
    return unpermute(rows_RD, placing.assignment_R, placing.valid_R, placing.row_TK, placing.valid_TK, weight_TK)
