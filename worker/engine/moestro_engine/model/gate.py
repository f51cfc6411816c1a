"""The router: which experts a token goes to, and with what weight."""

from typing import NamedTuple

import torch
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import MIN_DEVIATION, choose, gate_probabilities, normalize_logits

__all__ = ["MIN_DEVIATION", "Gate", "Routes", "choose_experts", "normalize_logits"]


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
        self.projection = nn.Linear(hidden_size, moe.num_experts, bias=not moe.gate_without_bias)

    def forward(self, x_TD: torch.Tensor) -> torch.Tensor:
        """Probabilities over all experts, fp32 [T, E]."""
        return gate_probabilities(self.projection(x_TD), self.normalization)


def choose_experts(probability_TE: torch.Tensor, top_k: int) -> Routes:
    """The top-k experts of each token; weights g_j / sum over the chosen g."""
    return Routes(*choose(probability_TE, top_k))
