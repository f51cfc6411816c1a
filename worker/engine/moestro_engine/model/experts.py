"""The experts held by one rank: SwiGLU feed-forward networks in three stacked tensors."""

import torch
import torch.nn.functional as F
from torch import nn


class Experts(nn.Module):
    """y = (silu(x w1) * x w3) w2 for each expert on its own rows."""

    def __init__(self, num_experts: int, hidden_size: int, ffn_hidden_size: int) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(num_experts, hidden_size, ffn_hidden_size))
        self.w3 = nn.Parameter(torch.empty(num_experts, hidden_size, ffn_hidden_size))
        self.w2 = nn.Parameter(torch.empty(num_experts, ffn_hidden_size, hidden_size))

    def even(self, rows_LRD: torch.Tensor) -> torch.Tensor:
        """Every expert has the same number of rows: [L, R, D] → [L, R, D]."""
        return torch.bmm(F.silu(torch.bmm(rows_LRD, self.w1)) * torch.bmm(rows_LRD, self.w3), self.w2)

    def ragged(self, rows_RD: torch.Tensor, counts: list[int]) -> torch.Tensor:
        """Rows ordered by expert, ``counts`` of them for each: [R, D] → [R, D]."""
        w1, w3, w2 = self.w1.unbind(), self.w3.unbind(), self.w2.unbind()
        parts = rows_RD.split(counts)
        return torch.cat([(F.silu(part @ w1[i]) * (part @ w3[i])) @ w2[i] for i, part in enumerate(parts)])
