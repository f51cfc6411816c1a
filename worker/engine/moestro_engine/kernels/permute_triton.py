"""Permute and un-permute of ``permute.py``: two kernels, each the gradient of the other.

``_gather`` makes a row out of one token, ``_gather_sum`` a token out of its K rows. Sums are in fp32.
A row that was dropped or is padding is not read; an index below 0 counts as one.
"""

import torch
import triton
import triton.language as tl

# Elements of a row a program holds at once.
MAX_BLOCK_D = 2048


@triton.jit
def _gather(
    source_ptr,  # [T, D]
    assignment_ptr,
    valid_ptr,  # [R], of any type
    weight_ptr,  # [T * K], with HAS_WEIGHT
    rows_ptr,  # [R, D], with HAS_WEIGHT
    out_ptr,  # [R, D]
    grad_weight_ptr,  # [T * K], with HAS_WEIGHT
    width,
    TOP_K: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """out_r = source(token of r); with HAS_WEIGHT times the weight of r, and the weight's gradient <source, row r>."""
    row = tl.program_id(0).to(tl.int64)
    assignment = tl.load(assignment_ptr + row)
    is_taken = (tl.load(valid_ptr + row) != 0) & (assignment >= 0)
    token = assignment // TOP_K
    # Of a row that is padding nothing is read.
    readable = tl.where(is_taken, width, 0)
    factor = 1.0
    if HAS_WEIGHT:
        factor = tl.load(weight_ptr + assignment, mask=is_taken, other=0.0).to(tl.float32)
    products = tl.zeros([BLOCK_D], tl.float32)
    for start in range(0, width, BLOCK_D):
        columns = start + tl.arange(0, BLOCK_D)
        mask = columns < readable
        values = tl.load(source_ptr + token * width + columns, mask=mask, other=0.0)
        if HAS_WEIGHT:
            values = values.to(tl.float32)
            products += values * tl.load(rows_ptr + row * width + columns, mask=mask, other=0.0).to(tl.float32)
            values = values * factor
        tl.store(out_ptr + row * width + columns, values, mask=columns < width)
    if HAS_WEIGHT:
        tl.store(grad_weight_ptr + assignment, tl.sum(products, 0), mask=is_taken)


@triton.jit
def _gather_sum(
    rows_ptr,  # [R, D]
    row_ptr,  # [T, K]
    valid_ptr,  # [T, K], of any type
    weight_ptr,  # [T, K], with HAS_WEIGHT
    out_ptr,  # [T, D]
    width,
    TOP_K: tl.constexpr,
    HAS_WEIGHT: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """out_t = sum over k of row(t, k), with HAS_WEIGHT times its weight."""
    token = tl.program_id(0).to(tl.int64)
    for start in range(0, width, BLOCK_D):
        columns = start + tl.arange(0, BLOCK_D)
        total = tl.zeros([BLOCK_D], tl.float32)
        for k in tl.static_range(TOP_K):
            row = tl.load(row_ptr + token * TOP_K + k)
            is_taken = (tl.load(valid_ptr + token * TOP_K + k) != 0) & (row >= 0)
            readable = tl.where(is_taken, width, 0)
            values = tl.load(rows_ptr + row * width + columns, mask=columns < readable, other=0.0).to(tl.float32)
            if HAS_WEIGHT:
                values = values * tl.load(weight_ptr + token * TOP_K + k).to(tl.float32)
            total += values
        tl.store(out_ptr + token * width + columns, total, mask=columns < width)


def permute_triton(x_TD, assignment_R, valid_R, row_TK, valid_TK) -> torch.Tensor:
    return _Permute.apply(x_TD, assignment_R, valid_R, row_TK, valid_TK)


def unpermute_triton(rows_RD, assignment_R, valid_R, row_TK, valid_TK, weight_TK) -> torch.Tensor:
    return _Unpermute.apply(rows_RD, assignment_R, valid_R, row_TK, valid_TK, weight_TK)


class _Permute(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x_TD, assignment_R, valid_R, row_TK, valid_TK):
        ctx.save_for_backward(row_TK, valid_TK)
        return _launch_gather(x_TD, assignment_R, valid_R, row_TK.shape[1])

    @staticmethod
    def backward(ctx, grad_RD):
        row_TK, valid_TK = ctx.saved_tensors
        return _launch_gather_sum(grad_RD, row_TK, valid_TK), None, None, None, None


class _Unpermute(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows_RD, assignment_R, valid_R, row_TK, valid_TK, weight_TK):
        ctx.save_for_backward(rows_RD, assignment_R, valid_R, weight_TK)
        return _launch_gather_sum(rows_RD, row_TK, valid_TK, weight_TK)

    @staticmethod
    def backward(ctx, grad_TD):
        rows_RD, assignment_R, valid_R, weight_TK = ctx.saved_tensors
        # What was dropped has no row to write its gradient.
        grad_weight_TK = torch.zeros_like(weight_TK, memory_format=torch.contiguous_format)
        grad_RD = _launch_gather(grad_TD, assignment_R, valid_R, weight_TK.shape[1], weight_TK, rows_RD, grad_weight_TK)
        return grad_RD, None, None, None, None, grad_weight_TK


def _launch_gather(source_TD, assignment_R, valid_R, top_k: int, weight_TK=None, rows_RD=None, grad_weight_TK=None):
    num_rows, width = assignment_R.shape[0], source_TD.shape[1]
    out_RD = source_TD.new_empty(num_rows, width)
    if out_RD.numel() == 0:
        return out_RD
    has_weight = weight_TK is not None
    _gather[(num_rows,)](
        *(source_TD.contiguous(), assignment_R.contiguous(), valid_R.contiguous()),
        *(weight_TK.contiguous() if has_weight else None, rows_RD.contiguous() if has_weight else None),
        *(out_RD, grad_weight_TK, width),
        TOP_K=top_k,
        HAS_WEIGHT=has_weight,
        **_block(width),
    )
    return out_RD


def _launch_gather_sum(rows_RD, row_TK, valid_TK, weight_TK=None) -> torch.Tensor:
    (num_tokens, top_k), width = row_TK.shape, rows_RD.shape[1]
    out_TD = rows_RD.new_empty(num_tokens, width)
    if out_TD.numel() == 0:
        return out_TD
    _gather_sum[(num_tokens,)](
        *(rows_RD.contiguous(), row_TK.contiguous(), valid_TK.contiguous()),
        *(weight_TK.contiguous() if weight_TK is not None else None, out_TD, width),
        TOP_K=top_k,
        HAS_WEIGHT=weight_TK is not None,
        **_block(width),
    )
    return out_TD


def _block(width: int) -> dict[str, int]:
    block = min(MAX_BLOCK_D, triton.next_power_of_2(width))
    # About eight elements a thread: 16-byte loads of bf16.
    return {"BLOCK_D": block, "num_warps": min(8, max(1, block // 256))}
