"""Rotary position embedding (Su et al. 2021), half-split layout."""

import torch


def rotary_table(length: int, head_dim: int, theta: float, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin of position * theta^(-2i/head_dim): two fp32 tensors [length, head_dim]."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float64, device=device) / head_dim
    angles = torch.arange(length, dtype=torch.float64, device=device)[:, None] * theta**-exponents
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos().float(), angles.sin().float()


def rotate(x_BHSP: torch.Tensor, cos_SP: torch.Tensor, sin_SP: torch.Tensor) -> torch.Tensor:
    """Turn each pair (x_i, x_{i+P/2}) by the angle of its position; computed in fp32, returned in x's type."""
    first, second = x_BHSP.chunk(2, dim=-1)
    return (x_BHSP * cos_SP + torch.cat([-second, first], dim=-1) * sin_SP).to(x_BHSP.dtype)
