"""The router: which experts a token goes to, and with what weight."""

import torch
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import Routes, Routing, route

__all__ = ["Gate", "Routes"]


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

    def route(self, logits_TE: torch.Tensor) -> Routing:
        """Probabilities over all experts, the choice, its weights and the counts, from raw logits [T, E]."""
        return route(logits_TE, self.normalization, self.top_k, self.is_sigmoid, self.bias_E, self.renormalizes)
