"""Matrix products of rows ordered by expert with their experts' matrices: one launch, or a loop over experts."""

import torch
import torch.nn.functional as F

from moestro_engine.kernels.select import uses_triton
from moestro_engine.kernels.swiglu import swiglu

# grouped_mm wants rows that start on 16 bytes.
ALIGNMENT_BYTES = 16

Totals = tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]
NO_TOTALS: Totals = (None, None, None)


def uses_grouped_mm(rows_RD: torch.Tensor, weight_LDF: torch.Tensor) -> bool:
    """Whether torch's grouped product takes these: bf16 on CUDA (compute capability 8.0 on), widths of 16 bytes.

    Not where there are no rows at all, which its backward pass may refuse for their strides.
    """
    if rows_RD.shape[0] == 0:
        return False
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


def looped_swiglu(rows_RD, counts: list[int], w1_LDF, w3_LDF, w2_LFD, totals: Totals = NO_TOTALS) -> torch.Tensor:
    """The same, expert by expert: for any type and width. ``totals`` of w1, w3 and w2 as in ``_LoopedProduct``."""
    gate_RF = _LoopedProduct.apply(rows_RD, w1_LDF, counts, totals[0])
    up_RF = _LoopedProduct.apply(rows_RD, w3_LDF, counts, totals[1])
    return _LoopedProduct.apply(swiglu(gate_RF, up_RF), w2_LFD, counts, totals[2])


class _LoopedProduct(torch.autograd.Function):
    """Each expert's product is written to its place in one tensor, forward and backward: nothing is gathered after.

    Where ``total_LDF`` is given, weight gradients are added to it and not returned: they are as large as
    the weights, and a tensor of their own would be written and read once more per micro-batch.
    """

    @staticmethod
    def forward(ctx, rows_RD, weight_LDF, counts, total_LDF):
        ctx.save_for_backward(rows_RD, weight_LDF)
        ctx.counts, ctx.total_LDF = counts, total_LDF
        out_RF = rows_RD.new_empty(rows_RD.shape[0], weight_LDF.shape[2])
        for rows, weight, out in zip(rows_RD.split(counts), weight_LDF, out_RF.split(counts), strict=True):
            torch.mm(rows, weight, out=out)
        return out_RF

    @staticmethod
    def backward(ctx, grad_RF):
        rows_RD, weight_LDF = ctx.saved_tensors
        # Schedules that cut the backward pass in two ask for one of them at a time.
        needs_rows, needs_weight, _, _ = ctx.needs_input_grad
        grads = grad_RF.split(ctx.counts)
        rows_grad_RD = torch.empty_like(rows_RD) if needs_rows else None
        if needs_rows:
            for grad, weight, out in zip(grads, weight_LDF, rows_grad_RD.split(ctx.counts), strict=True):
                torch.mm(grad, weight.t(), out=out)
        if not needs_weight:
            return rows_grad_RD, None, None, None
        adds_up = ctx.total_LDF is not None
        weight_grad_LDF = ctx.total_LDF if adds_up else torch.empty_like(weight_LDF)
        for grad, rows, out in zip(grads, rows_RD.split(ctx.counts), weight_grad_LDF, strict=True):
            torch.addmm(out, rows.t(), grad, beta=int(adds_up), out=out)
        return rows_grad_RD, None if adds_up else weight_grad_LDF, None, None
