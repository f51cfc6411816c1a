"""The load-balancing loss of one layer and its gradient with respect to the mean gate.

Both forms depend on the gates only through their mean over the micro-batch, so the gradient is one
vector over the experts, the same for every token: it can be added long after the gate ran.
"""

import torch

from moestro.v1 import job_pb2


def aux_loss(form: int, mean_gate_E: torch.Tensor, load_E: torch.Tensor) -> torch.Tensor:
    """The loss of each layer, fp32 [...], from [..., E].

    ``mean_gate_E`` is (1/T) sum_i g_ij, ``load_E`` the share of assignments that went to expert j,
    sum 1. Skywork-MoE report: sum_j (1/E - mean_j)^2. Switch Transformer, equation 4: E sum_j f_j P_j.
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


class InjectAuxGradient(torch.autograd.Function):
    """Passes the gates through unchanged and adds the auxiliary loss's gradient on the way back.

    Pipeline stages before the last never see the loss, so the gradient enters here. ``gradient_E`` is
    called in the backward pass: the sum over the tensor-parallel group has then arrived.
    """

    @staticmethod
    def forward(ctx, gate_TE, gradient_E):
        ctx.gradient_E = gradient_E
        return gate_TE.view_as(gate_TE)

    @staticmethod
    def backward(ctx, grad_TE):
        return grad_TE + ctx.gradient_E(), None
