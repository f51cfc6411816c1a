"""The gate behind its projection: normalise the logits, softmax or sigmoid, take the top-k, renormalise, count.

``route`` is all of it, one launch on a GPU; ``gate_probabilities`` and ``choose`` are the halves of its plain form.
"""

from typing import NamedTuple

import torch

from moestro_engine.kernels.select import uses_triton

# Equal logits have no spread to divide by.
MIN_DEVIATION = 1e-6
# Sigmoids may all be next to nothing; a softmax's chosen ones never are.
MIN_SUM = 1e-20


class Routes(NamedTuple):
    """Where every token goes; gradients flow through ``weight_TK``."""

    # The chosen experts, best first, int64.
    expert_TK: torch.Tensor
    # Their probabilities, divided by the chosen ones' sum where the gate renormalises, fp32.
    weight_TK: torch.Tensor
    # Their probabilities, fp32, without gradient: they decide who is dropped.
    probability_TK: torch.Tensor


class Routing(NamedTuple):
    """What a gate decides; gradients flow through ``gate_TE`` and ``weight_TK``."""

    # Probabilities over all experts, fp32. Sigmoids do not sum to one.
    gate_TE: torch.Tensor
    expert_TK: torch.Tensor
    weight_TK: torch.Tensor
    probability_TK: torch.Tensor
    # How many assignments each expert got, int64, on the device.
    counts_E: torch.Tensor

    @property
    def routes(self) -> Routes:
        return Routes(self.expert_TK, self.weight_TK, self.probability_TK)


def gate_probabilities(logits_TE: torch.Tensor, scale: float, sigmoid: bool = False) -> torch.Tensor:
    """softmax(lambda * (z - mean) / std) over the experts, fp32 [T, E]; lambda 0 leaves the logits alone.

    With ``sigmoid`` each expert's own sigmoid in place of the softmax (DeepSeek-V3, equation 15).
    """
    # fp64 stays fp64, for checks by finite differences.
    logits_TE = normalize_logits(logits_TE.to(torch.promote_types(logits_TE.dtype, torch.float32)), scale)
    return torch.sigmoid(logits_TE) if sigmoid else torch.softmax(logits_TE, dim=-1)


def choose(gate_TE: torch.Tensor, top_k: int, bias_E: torch.Tensor | None = None, renormalize: bool = True) -> Routes:
    """The top-k experts of each token; weights g_j / sum over the chosen g, or g_j.

    With ``bias_E`` the top-k is of probability + bias (DeepSeek-V3, equation 16); weights never see the bias.
    """
    if bias_E is None:
        probability_TK, expert_TK = gate_TE.topk(top_k, dim=-1)
    else:
        expert_TK = (gate_TE.detach() + bias_E).topk(top_k, dim=-1).indices
        probability_TK = gate_TE.gather(-1, expert_TK)
    weight_TK = probability_TK
    if renormalize:
        weight_TK = probability_TK / probability_TK.sum(-1, keepdim=True).clamp_min(MIN_SUM)
    return Routes(expert_TK, weight_TK, probability_TK.detach())


def route(
    logits_TE: torch.Tensor,
    scale: float,
    top_k: int,
    sigmoid: bool = False,
    bias_E: torch.Tensor | None = None,
    renormalize: bool = True,
) -> Routing:
    """Both halves and the counts: logits [T, E] of any float type → ``Routing``."""
    if uses_triton(logits_TE):
        from moestro_engine.kernels.gate_triton import route_triton

        return Routing(*route_triton(logits_TE, scale, top_k, sigmoid, bias_E, renormalize))
    gate_TE = gate_probabilities(logits_TE, scale, sigmoid)
    routes = choose(gate_TE, top_k, bias_E, renormalize)
    return Routing(gate_TE, *routes, count_experts(routes.expert_TK, logits_TE.shape[1]))


def count_experts(expert_TK: torch.Tensor, num_experts: int) -> torch.Tensor:
    """Assignments of each expert, int64 [E]. A GPU's bincount makes the host wait; adding up ones does not."""
    flat = expert_TK.flatten()
    if flat.is_cpu:
        return torch.bincount(flat, minlength=num_experts)
    counts_E = torch.zeros(num_experts, dtype=torch.long, device=flat.device)
    return counts_E.scatter_add_(0, flat, torch.ones_like(flat))


def normalize_logits(logits_TE: torch.Tensor, scale: float) -> torch.Tensor:
    """z~ = lambda * (z - mean) / std over the experts (unbiased std); lambda 0 leaves the logits alone."""
    if scale == 0:
        return logits_TE
    std, mean = torch.std_mean(logits_TE, dim=-1, keepdim=True)
    return scale * (logits_TE - mean) / std.clamp_min(MIN_DEVIATION)
