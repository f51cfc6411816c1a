"""Matrix products of rows ordered by expert with their experts' matrices: one launch, or a loop over experts."""

import torch
import torch.nn.functional as F

from moestro_engine.kernels.select import uses_triton
from moestro_engine.kernels.swiglu import swiglu

# grouped_mm wants rows that start on 16 bytes.
ALIGNMENT_BYTES = 16


def uses_grouped_mm(rows_RD: torch.Tensor, weight_LDF: torch.Tensor) -> bool:
    """Whether torch's grouped product takes these: bf16 on CUDA (compute capability 8.0 on), widths of 16 bytes."""
    if rows_RD.dtype != torch.bfloat16 or weight_LDF.dtype != torch.bfloat16 or not uses_triton(rows_RD):
        return False
    if rows_RD.is_cuda and torch.cuda.get_device_capability(rows_RD.device) < (8, 0):
        return False
    return all(width * weight_LDF.element_size() % ALIGNMENT_BYTES == 0 for width in weight_LDF.shape[1:])


def grouped_swiglu(rows_RD, counts_L: torch.Tensor, w1_LDF, w3_LDF, w2_LFD) -> torch.Tensor:
    """(silu(x w1) * x w3) w2 of each expert on its rows, [R, D]; ``counts_L`` stays on the device."""
    ends_L = counts_L.cumsum(0).to(torch.int32)
    hidden_RF = swiglu(F.grouped_mm(rows_RD, w1_LDF, offs=ends_L), F.grouped_mm(rows_RD, w3_LDF, offs=ends_L))
    return F.grouped_mm(hidden_RF, w2_LFD, offs=ends_L)


def looped_swiglu(rows_RD, counts: list[int], w1_LDF, w3_LDF, w2_LFD) -> torch.Tensor:
    """The same, expert by expert."""
    w1, w3, w2 = w1_LDF.unbind(), w3_LDF.unbind(), w2_LFD.unbind()
    parts = rows_RD.split(counts)
    return torch.cat([swiglu(part @ w1[i], part @ w3[i]) @ w2[i] for i, part in enumerate(parts)])
