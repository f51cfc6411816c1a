"""Tokens to rows of the experts' input by known indices, and rows back to tokens weighted by probabilities.

Both directions and both gradients are gathers along known permutations: nothing is scattered or
added atomically, so results do not depend on the order of threads.

``row_TK`` and ``assignment_R`` name each other as in ``model.capacity.Placing``: assignment t * K + k
lies in row ``row_TK[t, k]``. Where a mask is 0 there is no such row (dropped) or assignment (padding),
and the index says nothing.
"""

import torch

from moestro_engine.kernels.select import uses_triton


def permute(x_TD: torch.Tensor, assignment_R, valid_R, row_TK, valid_TK) -> torch.Tensor:
    """Rows [R, D]: row r is the token of its assignment. Padding rows hold anything finite and get no gradient."""
    if uses_triton(x_TD):
        from moestro_engine.kernels.permute_triton import permute_triton

        return permute_triton(x_TD, assignment_R, valid_R, row_TK, valid_TK)
    return _Permute.apply(x_TD, assignment_R, row_TK, valid_TK)


def unpermute(rows_RD: torch.Tensor, assignment_R, valid_R, row_TK, valid_TK, weight_TK: torch.Tensor) -> torch.Tensor:
    """y_t = sum_k weight_tk * row(t, k), with nothing where the assignment was dropped: [T, D]."""
    if uses_triton(rows_RD):
        from moestro_engine.kernels.permute_triton import unpermute_triton

        return unpermute_triton(rows_RD, assignment_R, valid_R, row_TK, valid_TK, weight_TK)
    chosen_TKD = _Collect.apply(rows_RD, assignment_R, valid_R, row_TK)
    return torch.bmm((weight_TK * valid_TK).to(rows_RD.dtype).unsqueeze(1), chosen_TKD).squeeze(1)


class _Permute(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x_TD, assignment_R, row_TK, valid_TK):
        ctx.save_for_backward(row_TK, valid_TK)
        return x_TD.index_select(0, assignment_R // row_TK.shape[1])

    @staticmethod
    def backward(ctx, grad_RD):
        row_TK, valid_TK = ctx.saved_tensors
        per_choice_TKD = _choose_rows(grad_RD, row_TK)
        return torch.bmm(valid_TK.to(grad_RD.dtype).unsqueeze(1), per_choice_TKD).squeeze(1), None, None, None


class _Collect(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows_RD, assignment_R, valid_R, row_TK):
        ctx.save_for_backward(assignment_R, valid_R)
        return _choose_rows(rows_RD, row_TK)

    @staticmethod
    def backward(ctx, grad_TKD):
        assignment_R, valid_R = ctx.saved_tensors
        grad_RD = grad_TKD.flatten(0, 1).index_select(0, assignment_R)
        return grad_RD.mul_(valid_R.to(grad_RD.dtype).unsqueeze(1)), None, None, None


def _choose_rows(rows_RD: torch.Tensor, row_TK: torch.Tensor) -> torch.Tensor:
    """The row of every assignment, [T, K, D]; zeros where all were dropped and there is no row to name."""
    if rows_RD.shape[0] == 0:
        return rows_RD.new_zeros(*row_TK.shape, rows_RD.shape[1])
    return rows_RD.index_select(0, row_TK.flatten()).view(*row_TK.shape, -1)
