"""The load-balancing loss of one layer and its gradient with respect to the mean gate; the router z-loss.

Both forms of the first depend on the gates only through their mean over the micro-batch, so the gradient is one
vector over the experts, the same for every token: it can be added long after the gate ran.
"""

import torch

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import MIN_SUM


def aux_loss(form: int, mean_gate_E: torch.Tensor, load_E: torch.Tensor) -> torch.Tensor:
    """The loss of each layer, fp32 [...], from [..., E].

    ``mean_gate_E`` is (1/T) sum_i g_ij of gates that sum to one per token, ``load_E`` the share of
    assignments that went to expert j, sum 1. Skywork-MoE report: sum_j (1/E - mean_j)^2. Switch
    Transformer, equation 4: E sum_j f_j P_j.
    """
    num_experts = mean_gate_E.shape[-1]
    if form == job_pb2.AUX_LOSS_FORM_SWITCH:
        return num_experts * (load_E * mean_gate_E).sum(-1)
    return (1 / num_experts - mean_gate_E).square().sum(-1)


def aux_loss_gradient(form: int, mean_gate_E: torch.Tensor, load_E: torch.Tensor) -> torch.Tensor:
    """d aux_loss / d mean_gate, [..., E]; the load is a count and has no gradient."""
    num_experts = mean_gate_E.shape[-1]
    if form == job_pb2.AUX_LOSS_FORM_SWITCH:
        return num_experts * load_E
    return 2 * (mean_gate_E - 1 / num_experts)


def router_z_loss(logits_TE: torch.Tensor) -> torch.Tensor:
    """mean over tokens of logsumexp(z)^2, z the raw logits: fp32 scalar (ST-MoE, equation 5)."""
    return torch.logsumexp(logits_TE.float(), -1).square().mean()


class InjectAuxGradient(torch.autograd.Function):
    """Passes the weights through unchanged and gives the gates the auxiliary loss's gradient on the way back.

    Pipeline stages before the last never see the loss, so the gradient enters here; and by the weights,
    which every output depends on, so that one launch can make gates and weights. ``gradient_E`` is
    called in the backward pass: the sum over the tensor-parallel group has then arrived. It is the
    gradient with respect to a token's shares, which are its gates, or with ``shares`` its gates divided
    by their sum: then d/dg_i = (G_i - sum_j G_j share_j) / sum g.
    """

    @staticmethod
    def forward(ctx, weight_TK, gate_TE, gradient_E, shares: bool):
        ctx.gradient_E = gradient_E
        ctx.shares = shares
        ctx.shape = gate_TE.shape
        if shares:
            ctx.save_for_backward(gate_TE)
        return weight_TK.view_as(weight_TK)

    @staticmethod
    def backward(ctx, grad_TK):
        gradient_E = ctx.gradient_E()
        if not ctx.shares:
            return grad_TK, gradient_E.expand(ctx.shape), None, None
        (gate_TE,) = ctx.saved_tensors
        total_T1 = gate_TE.sum(-1, keepdim=True).clamp_min(MIN_SUM)
        mean_T1 = (gradient_E * gate_TE).sum(-1, keepdim=True) / total_T1
        return grad_TK, (gradient_E - mean_T1) / total_T1, None, None


class InjectZGradient(torch.autograd.Function):
    """Passes the raw logits through unchanged and adds ``scale`` * d/dz of the sum over tokens of logsumexp(z)^2."""

    @staticmethod
    def forward(ctx, logits_TE, scale: float):
        ctx.scale = scale
        ctx.save_for_backward(logits_TE)
        return logits_TE.view_as(logits_TE)

    @staticmethod
    def backward(ctx, grad_TE):
        z_TE = ctx.saved_tensors[0].float()
        z_gradient_TE = torch.logsumexp(z_TE, -1, keepdim=True) * torch.softmax(z_TE, -1)
        return grad_TE + (2 * ctx.scale * z_gradient_TE).to(grad_TE.dtype), None
