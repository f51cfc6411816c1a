"""Rotary position embedding (Su et al. 2021), half-split layout."""

import torch


def rotary_table(length: int, head_dim: int, theta: float, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin of position * theta^(-2i/head_dim): two fp32 tensors [length, head_dim / 2]."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float64, device=device) / head_dim
    angles = torch.arange(length, dtype=torch.float64, device=device)[:, None] * theta**-exponents
    return angles.cos().float(), angles.sin().float()


def rotate(x_BHSP: torch.Tensor, cos_SP: torch.Tensor, sin_SP: torch.Tensor) -> torch.Tensor:
    """Turn each pair (x_i, x_{i+P/2}) by the angle of its position; computed in fp32, returned in x's type."""
    return _Rotate.apply(x_BHSP, cos_SP, sin_SP)


class _Rotate(torch.autograd.Function):
    """Keeps nothing but the table: the gradient is turned back by the same angles."""

    @staticmethod
    def forward(ctx, x_BHSP, cos_SP, sin_SP):
        ctx.save_for_backward(cos_SP, sin_SP)
        return _turned(x_BHSP, cos_SP, sin_SP, 1)

    @staticmethod
    def backward(ctx, grad_BHSP):
        return _turned(grad_BHSP, *ctx.saved_tensors, -1), None, None


def _turned(x_BHSP: torch.Tensor, cos_SP: torch.Tensor, sin_SP: torch.Tensor, sign: int) -> torch.Tensor:
    first, second = x_BHSP.chunk(2, dim=-1)
    out_BHSP = torch.empty(x_BHSP.shape, dtype=torch.promote_types(x_BHSP.dtype, torch.float32), device=x_BHSP.device)
    turned_first, turned_second = out_BHSP.chunk(2, dim=-1)
    torch.mul(first, cos_SP, out=turned_first).addcmul_(second, sin_SP, value=-sign)
    torch.mul(second, cos_SP, out=turned_second).addcmul_(first, sin_SP, value=sign)
    return out_BHSP.to(x_BHSP.dtype)
