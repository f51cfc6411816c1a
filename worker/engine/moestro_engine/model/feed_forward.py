"""A dense SwiGLU feed-forward network: of a dense layer, or of the experts that all tokens share."""

import torch
from torch import nn

from moestro_engine.kernels.swiglu import swiglu
from moestro_engine.model.sequence import gathered
from moestro_engine.parallel.collectives import AnyGroup, LocalGroup


class FeedForward(nn.Module):
    """y = (silu(x w1) * x w3) w2 for every token.

    A rank that holds some of the hidden columns, which are rows of ``w1`` and ``w3`` and columns of ``w2``
    as nn.Linear keeps them, computes these only. With sequence parallelism ``group`` gathers the slices of
    the sequence before, and sums and scatters the columns' contributions after.
    """

    def __init__(self, hidden_size: int, ffn_hidden_size: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(hidden_size, ffn_hidden_size, bias=False)
        self.w3 = nn.Linear(hidden_size, ffn_hidden_size, bias=False)
        self.w2 = nn.Linear(ffn_hidden_size, hidden_size, bias=False)
        self.group: AnyGroup = LocalGroup()

    def forward(self, x_BsD: torch.Tensor) -> torch.Tensor:
        return self.transform(self.gather(x_BsD))

    def gather(self, x_BsD: torch.Tensor) -> torch.Tensor:
        """The first half of ``forward``, for a caller that has other messages to send behind it."""
        return gathered(self.group, x_BsD)

    def transform(self, x_BSD: torch.Tensor) -> torch.Tensor:
        """The second half."""
        return self.group.scatter_sequence(self.w2(swiglu(self.w1(x_BSD), self.w3(x_BSD))))
