"""silu(a) * b, keeping only a and b for the backward pass."""

import torch
import torch.nn.functional as F

from moestro_engine.recompute import cheap


def swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """silu(gate) * up, elementwise; under selective recompute its consumers do not keep it either."""
    return cheap(_Swiglu.apply, gate, up)


class _Swiglu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gate, up):
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx, grad):
        gate, up = ctx.saved_tensors
        return torch.ops.aten.silu_backward(grad * up, gate), F.silu(gate).mul_(grad)
