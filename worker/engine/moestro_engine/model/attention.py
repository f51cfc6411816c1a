"""Causal grouped-query attention, split by heads when its weights are."""

import torch
import torch.nn.functional as F
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.model.rotary import rotate
from moestro_engine.parallel.collectives import AnyGroup, LocalGroup


class Attention(nn.Module):
    """Heads are counted off the weights, so a rank that holds a slice of them computes those heads only.

    With sequence parallelism ``group`` gathers the slices of the sequence before, and sums and
    scatters the heads' contributions after.
    """

    def __init__(self, model: job_pb2.ModelConfig) -> None:
        super().__init__()
        self.head_dim = model.head_dim
        self.wq = nn.Linear(model.hidden_size, model.num_heads * model.head_dim, bias=False)
        self.wk = nn.Linear(model.hidden_size, model.num_kv_heads * model.head_dim, bias=False)
        self.wv = nn.Linear(model.hidden_size, model.num_kv_heads * model.head_dim, bias=False)
        self.wo = nn.Linear(model.num_heads * model.head_dim, model.hidden_size, bias=False)
        self.group: AnyGroup = LocalGroup()

    def forward(self, x_BsD: torch.Tensor, cos_SP: torch.Tensor, sin_SP: torch.Tensor) -> torch.Tensor:
        x_BSD = self.group.gather_sequence(x_BsD)
        length = x_BSD.shape[1]
        cos_SP, sin_SP = cos_SP[:length], sin_SP[:length]
        q_BHSP = rotate(self._heads(self.wq, x_BSD), cos_SP, sin_SP)
        k_BGSP = rotate(self._heads(self.wk, x_BSD), cos_SP, sin_SP)
        v_BGSP = self._heads(self.wv, x_BSD)
        repeats = q_BHSP.shape[1] // k_BGSP.shape[1]
        k_BHSP, v_BHSP = k_BGSP.repeat_interleave(repeats, 1), v_BGSP.repeat_interleave(repeats, 1)
        out_BHSP = F.scaled_dot_product_attention(q_BHSP, k_BHSP, v_BHSP, is_causal=True)
        return self.group.scatter_sequence(self.wo(out_BHSP.transpose(1, 2).flatten(2)))

    def _heads(self, weight: nn.Linear, x_BSD: torch.Tensor) -> torch.Tensor:
        return weight(x_BSD).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
