"""Causal grouped-query attention, split by heads when its weights are, and by positions over context-parallel ranks."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.bias import causal_lower_right
from torch.utils.checkpoint import checkpoint

from moestro.v1 import job_pb2
from moestro_engine.model.rotary import rotate
from moestro_engine.model.sequence import gathered
from moestro_engine.parallel.collectives import AnyGroup, LocalGroup


class Attention(nn.Module):
    """Heads are counted off the weights, so a rank that holds a slice of them computes those heads only.

    With sequence parallelism ``group`` gathers the slices of the sequence before, and sums and scatters
    the heads' contributions after. With context parallelism a rank has a contiguous part of the
    positions; ``context`` gathers the keys and values of all (Llama 3, arXiv 2407.21783, section 3.3.2),
    of which it uses those up to its own last position.
    """

    def __init__(self, model: job_pb2.ModelConfig) -> None:
        super().__init__()
        self.head_dim = model.head_dim
        self.wq = nn.Linear(model.hidden_size, model.num_heads * model.head_dim, bias=False)
        self.wk = nn.Linear(model.hidden_size, model.num_kv_heads * model.head_dim, bias=False)
        self.wv = nn.Linear(model.hidden_size, model.num_kv_heads * model.head_dim, bias=False)
        self.wo = nn.Linear(model.num_heads * model.head_dim, model.hidden_size, bias=False)
        self.group: AnyGroup = LocalGroup()
        self.context: AnyGroup = LocalGroup()

    def forward(
        self, x_BsD: torch.Tensor, cos_SP: torch.Tensor, sin_SP: torch.Tensor, recompute_core: bool = False
    ) -> torch.Tensor:
        """``recompute_core`` keeps projected queries, keys and values only and attends again in the backward pass."""
        x_BSD = gathered(self.group, x_BsD)
        start = self.context.rank * x_BSD.shape[1]
        positions = slice(start, start + x_BSD.shape[1])
        q_BSQ, k_BSK, v_BSK = self.wq(x_BSD), self.wk(x_BSD), self.wv(x_BSD)
        inputs = q_BSQ, k_BSK, v_BSK, cos_SP[positions], sin_SP[positions]
        if recompute_core:
            out_BSQ = checkpoint(self._attend, *inputs, use_reentrant=False, preserve_rng_state=False)
        else:
            out_BSQ = self._attend(*inputs)
        return self.group.scatter_sequence(self.wo(out_BSQ))

    def _attend(self, q_BSQ, k_BSK, v_BSK, cos_SP, sin_SP) -> torch.Tensor:
        q_BHSP = rotate(self._heads(q_BSQ), cos_SP, sin_SP)
        k_BGSP = rotate(self._heads(k_BSK), cos_SP, sin_SP)
        v_BGSP = self._heads(v_BSK)
        if self.context.size > 1:
            k_BGSP, v_BGSP = self._gather_context(k_BGSP, v_BGSP)
        length = q_BHSP.shape[2]
        mask = causal_lower_right(length, k_BGSP.shape[2]) if self.context.size > 1 else None
        # CUDA's kernel for fp32 and those for masks want as many key heads as query heads.
        is_grouped = mask is None and (q_BHSP.is_cpu or q_BHSP.dtype != torch.float32)
        if not is_grouped:
            repeats = q_BHSP.shape[1] // k_BGSP.shape[1]
            k_BGSP, v_BGSP = k_BGSP.repeat_interleave(repeats, 1), v_BGSP.repeat_interleave(repeats, 1)
        out_BHSP = F.scaled_dot_product_attention(
            q_BHSP, k_BGSP, v_BGSP, attn_mask=mask, is_causal=mask is None, enable_gqa=is_grouped
        )
        return out_BHSP.transpose(1, 2).flatten(2)

    def _gather_context(self, k_BGSP: torch.Tensor, v_BGSP: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the positions from the first to this rank's last."""
        both_BSGP = torch.cat([k_BGSP, v_BGSP], dim=-1).transpose(1, 2)
        known = (self.context.rank + 1) * both_BSGP.shape[1]
        all_BGSP = self.context.gather_sequence(both_BSGP)[:, :known].transpose(1, 2)
        return all_BGSP.chunk(2, dim=-1)

    def _heads(self, x_BSQ: torch.Tensor) -> torch.Tensor:
        return x_BSQ.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
