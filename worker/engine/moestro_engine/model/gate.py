"""The router: which experts a token goes to, and with what weight."""

from typing import NamedTuple

import torch
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import MIN_DEVIATION, choose, gate_probabilities, normalize_logits

__all__ = ["MIN_DEVIATION", "Gate", "Routes", "choose_experts", "normalize_logits"]


class Routes(NamedTuple):
    """The chosen experts of every token, best first, and their weights: renormalised ones sum to one per token."""

    expert_TK: torch.Tensor
    weight_TK: torch.Tensor
    # The experts' probabilities before renormalisation, which decide who is dropped.
    probability_TK: torch.Tensor


class Gate(nn.Module):
    """Logits Wx + b, normalised by the Skywork-MoE report's equation for gating logit normalisation, and the choice.

    ``bias_E`` is what the controller adds to the probabilities when the top-k is taken (DeepSeek-V3's
    balancing without an auxiliary loss); it is set from outside and has no gradient.
    """

    def __init__(self, hidden_size: int, moe: job_pb2.MoeConfig) -> None:
        super().__init__()
        self.top_k = moe.top_k
        self.normalization = moe.gate_normalization
        self.is_sigmoid = moe.gate_function == job_pb2.GATE_FUNCTION_SIGMOID
        self.renormalizes = not moe.without_renormalization
        self.projection = nn.Linear(hidden_size, moe.num_experts, bias=not moe.gate_without_bias)
        self.bias_E: torch.Tensor | None = None

    def forward(self, x_TD: torch.Tensor) -> torch.Tensor:
        """Raw logits [T, E]."""
        return self.projection(x_TD)

    def probabilities(self, logits_TE: torch.Tensor) -> torch.Tensor:
        """Probabilities over all experts, fp32 [T, E]; a sigmoid's do not sum to one."""
        return gate_probabilities(logits_TE, self.normalization, self.is_sigmoid)

    def choose(self, probability_TE: torch.Tensor) -> Routes:
        return choose_experts(probability_TE, self.top_k, self.bias_E, self.renormalizes)


def choose_experts(
    probability_TE: torch.Tensor, top_k: int, bias_E: torch.Tensor | None = None, renormalizes: bool = True
) -> Routes:
    """The top-k experts of each token by probability + bias; weights g_j / sum over the chosen g, or g_j."""
    return Routes(*choose(probability_TE, top_k, bias_E, renormalizes))
