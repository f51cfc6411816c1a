"""Tokens to rows of the experts' input, and the experts' rows back to tokens.

Both directions and both gradients are gathers along known permutations: nothing is scattered or
added atomically, so results do not depend on the order of threads.
"""

import torch

from moestro_engine.model.capacity import Placing


def dispatch(x_TD: torch.Tensor, placing: Placing) -> torch.Tensor:
    """The experts' input [R, D]; rows that are padding hold some token and never come back."""
    return _Dispatch.apply(x_TD, placing)


def combine(rows_RD: torch.Tensor, placing: Placing, weight_TK: torch.Tensor) -> torch.Tensor:
    """y_t = sum_k weight_tk * row(t, k), with nothing where the assignment was dropped: [T, D]."""
    chosen_TKD = _Collect.apply(rows_RD, placing)
    return torch.bmm((weight_TK * placing.valid_TK).to(rows_RD.dtype).unsqueeze(1), chosen_TKD).squeeze(1)


class _Dispatch(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x_TD, placing: Placing):
        ctx.placing = placing
        top_k = placing.row_TK.shape[1]
        return x_TD.index_select(0, placing.assignment_R // top_k)

    @staticmethod
    def backward(ctx, grad_RD):
        placing = ctx.placing
        per_choice_TKD = grad_RD.index_select(0, placing.row_TK.flatten()).view(*placing.row_TK.shape, -1)
        return torch.bmm(placing.valid_TK.to(grad_RD.dtype).unsqueeze(1), per_choice_TKD).squeeze(1), None


class _Collect(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows_RD, placing: Placing):
        ctx.placing = placing
        return rows_RD.index_select(0, placing.row_TK.flatten()).view(*placing.row_TK.shape, -1)

    @staticmethod
    def backward(ctx, grad_TKD):
        placing = ctx.placing
        grad_RD = grad_TKD.flatten(0, 1).index_select(0, placing.assignment_R)
        return grad_RD.mul_(placing.valid_R.to(grad_RD.dtype).unsqueeze(1)), None
