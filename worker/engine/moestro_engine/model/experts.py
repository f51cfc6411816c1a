"""The experts held by one rank: SwiGLU feed-forward networks in three stacked tensors."""

import torch
from torch import nn

from moestro_engine.kernels.grouped import NO_TOTALS, grouped_swiglu, looped_swiglu, uses_grouped_mm
from moestro_engine.kernels.swiglu import swiglu


class Experts(nn.Module):
    """y = (silu(x w1) * x w3) w2 for each expert on its own rows.

    A rank that holds a slice of the columns of w1 and w3 and of the rows of w2 computes a part of the sum.
    """

    def __init__(self, num_experts: int, hidden_size: int, ffn_hidden_size: int) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(num_experts, hidden_size, ffn_hidden_size))
        self.w3 = nn.Parameter(torch.empty(num_experts, hidden_size, ffn_hidden_size))
        self.w2 = nn.Parameter(torch.empty(num_experts, ffn_hidden_size, hidden_size))
        # Whether backward passes may add to the gradients in place, which then have to be there, in the weights' type.
        self.adds_up_gradients = False

    @property
    def num_local(self) -> int:
        """Experts that lie, whole or in part, on this rank."""
        return self.w1.shape[0]

    def even(self, rows_LRD: torch.Tensor) -> torch.Tensor:
        """Every expert has the same number of rows: [L, R, D] → [L, R, D]."""
        if rows_LRD.is_cpu:
            num_experts, num_rows, _ = rows_LRD.shape
            return self._looped(rows_LRD.flatten(0, 1), [num_rows] * num_experts).view_as(rows_LRD)
        return torch.bmm(swiglu(torch.bmm(rows_LRD, self.w1), torch.bmm(rows_LRD, self.w3)), self.w2)

    def ragged(self, rows_RD: torch.Tensor, counts: list[int] | torch.Tensor) -> torch.Tensor:
        """Rows ordered by expert, ``counts`` of them for each: [R, D] → [R, D].

        Counts that are a tensor on the rows' device stay there where a grouped product takes them.
        """
        if uses_grouped_mm(rows_RD, self.w1):
            return grouped_swiglu(rows_RD, torch.as_tensor(counts, device=rows_RD.device), self.w1, self.w3, self.w2)
        return self._looped(rows_RD, counts.tolist() if torch.is_tensor(counts) else counts)

    def _looped(self, rows_RD: torch.Tensor, counts: list[int]) -> torch.Tensor:
        weights = self.w1, self.w3, self.w2
        totals = tuple(weight.grad for weight in weights) if self.adds_up_gradients else NO_TOTALS
        return looped_swiglu(rows_RD, counts, *weights, totals)
