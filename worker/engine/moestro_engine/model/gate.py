"""The router: which experts a token goes to, and with what weight."""

from typing import NamedTuple

import torch
from torch import nn

from moestro.v1 import job_pb2

# Equal logits have no spread to divide by.
MIN_DEVIATION = 1e-6


class Routes(NamedTuple):
    """The chosen experts of every token, best first, and their weights, which sum to one per token."""

    expert_TK: torch.Tensor
    weight_TK: torch.Tensor
    # The experts' probabilities before renormalisation, which decide who is dropped.
    probability_TK: torch.Tensor


class Gate(nn.Module):
    """Logits Wx + b, normalised by the Skywork-MoE report's equation for gating logit normalisation."""

    def __init__(self, hidden_size: int, moe: job_pb2.MoeConfig) -> None:
        super().__init__()
        self.normalization = moe.gate_normalization
        self.projection = nn.Linear(hidden_size, moe.num_experts)

    def forward(self, x_TD: torch.Tensor) -> torch.Tensor:
        """Probabilities over all experts, fp32 [T, E]."""
        logits_TE = self.projection(x_TD).float()
        return torch.softmax(normalize_logits(logits_TE, self.normalization), dim=-1)


def normalize_logits(logits_TE: torch.Tensor, scale: float) -> torch.Tensor:
    """z~ = lambda * (z - mean) / std over the experts (unbiased std); lambda 0 leaves the logits alone."""
    if scale == 0:
        return logits_TE
    std, mean = torch.std_mean(logits_TE, dim=-1, keepdim=True)
    return scale * (logits_TE - mean) / std.clamp_min(MIN_DEVIATION)


def choose_experts(probability_TE: torch.Tensor, top_k: int) -> Routes:
    """The top-k experts of each token; weights g_j / sum over the chosen g."""
    probability_TK, expert_TK = probability_TE.topk(top_k, dim=-1)
    return Routes(expert_TK, probability_TK / probability_TK.sum(-1, keepdim=True), probability_TK.detach())
