"""The gate of ``gate.py`` as one kernel forward and one backward.

A program takes a block of tokens with all their experts, so nothing is exchanged between programs but
the counts, which are added as integers and so do not depend on the order. Ties go to the expert with
the lowest number. The backward pass computes the probabilities again instead of keeping them.
"""

import torch
import triton
import triton.language as tl

from moestro_engine.kernels.gate import MIN_DEVIATION, MIN_SUM

# Elements of a program's block [tokens, experts]: a few registers a thread.
BLOCK_ELEMENTS = 1024
# What turns logits into probabilities.
SOFTMAX, SIGMOID = tl.constexpr(0), tl.constexpr(1)
LEAST_SUM = tl.constexpr(MIN_SUM)
# The lowest finite number.
LAST = tl.constexpr(torch.finfo(torch.float32).min)


@triton.jit
def _gate(logits, is_expert, scale, num_experts, min_deviation, GATE: tl.constexpr, NORMALIZE: tl.constexpr):
    """Probabilities; and for the backward pass the logits over their deviation, and that deviation."""
    unit, deviation = logits, scale
    if NORMALIZE:
        centred = tl.where(is_expert, logits - (tl.sum(logits, 1) / num_experts)[:, None], 0.0)
        deviation = tl.sqrt_rn(tl.sum(centred * centred, 1) / (num_experts - 1))
        unit = centred / tl.where(deviation < min_deviation, min_deviation, deviation)[:, None]
        logits = scale * unit
    if GATE == SIGMOID:
        gate = tl.sigmoid(logits)
    else:
        logits = tl.where(is_expert, logits, float("-inf"))
        power = tl.exp(logits - tl.max(logits, 1)[:, None])
        gate = power / tl.sum(power, 1)[:, None]
    return gate, unit, deviation


@triton.jit
def _divisor(chosen, is_token, RENORMALIZE: tl.constexpr):
    """What a token's chosen probabilities are divided by."""
    total = tl.sum(chosen, 1)
    total = tl.where(total < LEAST_SUM, LEAST_SUM, total)
    if not RENORMALIZE:
        total = tl.full(total.shape, 1.0, tl.float32)
    return tl.where(is_token, total, 1.0)


@triton.jit
def _forward(
    logits_ptr,  # [T, E]
    bias_ptr,  # [E], with BIAS
    gate_ptr,
    expert_ptr,
    weight_ptr,
    probability_ptr,
    counts_ptr,
    num_tokens,
    num_experts,
    scale,
    min_deviation,
    GATE: tl.constexpr,
    NORMALIZE: tl.constexpr,
    TOP_K: tl.constexpr,
    BIAS: tl.constexpr,
    RENORMALIZE: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_E: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    tokens = tl.program_id(0).to(tl.int64) * BLOCK_T + tl.arange(0, BLOCK_T)
    experts = tl.arange(0, BLOCK_E)
    is_token = tokens < num_tokens
    is_expert = (experts < num_experts)[None, :]
    mask = is_token[:, None] & is_expert
    cells = tokens[:, None] * num_experts + experts[None, :]
    logits = tl.load(logits_ptr + cells, mask=mask, other=0.0).to(tl.float32)
    gate, _, _ = _gate(logits, is_expert, scale, num_experts, min_deviation, GATE, NORMALIZE)
    tl.store(gate_ptr + cells, gate, mask=mask)
    choices = tl.arange(0, BLOCK_K)
    chosen = tl.zeros([BLOCK_T, BLOCK_K], tl.float32)
    chosen_expert = tl.zeros([BLOCK_T, BLOCK_K], tl.int32)
    # What is no number comes last, so that such a token still names K experts that exist.
    left = gate
    if BIAS:
        left = gate + tl.load(bias_ptr + experts, mask=experts < num_experts, other=0.0).to(tl.float32)[None, :]
    left = tl.where(left == left, left, LAST)
    left = tl.where(is_expert, left, float("-inf"))
    for k in range(TOP_K):
        best = tl.max(left, 1)
        expert = tl.min(tl.where(left == best[:, None], experts[None, :], BLOCK_E), 1)
        is_k = choices[None, :] == k
        is_best = experts[None, :] == expert[:, None]
        chosen = tl.where(is_k, tl.sum(tl.where(is_best, gate, 0.0), 1)[:, None], chosen)
        chosen_expert = tl.where(is_k, expert[:, None], chosen_expert)
        left = tl.where(is_best, float("-inf"), left)
    places = tokens[:, None] * TOP_K + choices[None, :]
    is_place = is_token[:, None] & (choices < TOP_K)[None, :]
    tl.store(expert_ptr + places, chosen_expert.to(tl.int64), mask=is_place)
    tl.store(probability_ptr + places, chosen, mask=is_place)
    total = _divisor(chosen, is_token, RENORMALIZE)
    tl.store(weight_ptr + places, chosen / total[:, None], mask=is_place)
    is_taken = mask & (left == float("-inf"))
    counts = tl.sum(is_taken.to(tl.int32), 0).to(tl.int64)
    tl.atomic_add(counts_ptr + experts, counts, mask=(experts < num_experts) & (counts > 0))


@triton.jit
def _backward(
    logits_ptr,
    expert_ptr,
    probability_ptr,
    grad_gate_ptr,
    grad_weight_ptr,
    grad_ptr,  # of the logits, [T, E]
    num_tokens,
    num_experts,
    scale,
    min_deviation,
    GATE: tl.constexpr,
    NORMALIZE: tl.constexpr,
    TOP_K: tl.constexpr,
    RENORMALIZE: tl.constexpr,
    HAS_GATE_GRADIENT: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_E: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    tokens = tl.program_id(0).to(tl.int64) * BLOCK_T + tl.arange(0, BLOCK_T)
    experts = tl.arange(0, BLOCK_E)
    is_token = tokens < num_tokens
    is_expert = (experts < num_experts)[None, :]
    mask = is_token[:, None] & is_expert
    cells = tokens[:, None] * num_experts + experts[None, :]
    grad = tl.zeros([BLOCK_T, BLOCK_E], tl.float32)
    if HAS_GATE_GRADIENT:
        grad = tl.load(grad_gate_ptr + cells, mask=mask, other=0.0).to(tl.float32)
    if TOP_K > 0:
        # w_k = p_k / s with s = sum p: dp_k = (dw_k - sum_j dw_j w_j) / s. Without it dp_k = dw_k.
        choices = tl.arange(0, BLOCK_K)
        places = tokens[:, None] * TOP_K + choices[None, :]
        is_place = is_token[:, None] & (choices < TOP_K)[None, :]
        probability = tl.load(probability_ptr + places, mask=is_place, other=0.0)
        grad_weight = tl.load(grad_weight_ptr + places, mask=is_place, other=0.0).to(tl.float32)
        total = _divisor(probability, is_token, RENORMALIZE)
        common = tl.sum(grad_weight * probability, 1) / total
        if not RENORMALIZE:
            common = tl.zeros([BLOCK_T], tl.float32)
        for k in range(TOP_K):
            expert = tl.load(expert_ptr + tokens * TOP_K + k, mask=is_token, other=0)
            part = (tl.load(grad_weight_ptr + tokens * TOP_K + k, mask=is_token, other=0.0).to(tl.float32) - common) / total
            grad += tl.where(experts[None, :] == expert[:, None], part[:, None], 0.0)
    logits = tl.load(logits_ptr + cells, mask=mask, other=0.0).to(tl.float32)
    gate, unit, deviation = _gate(logits, is_expert, scale, num_experts, min_deviation, GATE, NORMALIZE)
    if GATE == SOFTMAX:
        grad = gate * (grad - tl.sum(gate * grad, 1)[:, None])
    if GATE == SIGMOID:
        grad = gate * (1 - gate) * grad
    grad = tl.where(mask, grad, 0.0)
    if NORMALIZE:
        # z~ = lambda u with u = (z - mean) / std, d std / dz = u / (E - 1); a deviation held at its
        # least value is a constant.
        along = tl.where(deviation < min_deviation, 0.0, tl.sum(grad * unit, 1) / (num_experts - 1))
        slope = scale / tl.where(deviation < min_deviation, min_deviation, deviation)
        grad = slope[:, None] * (grad - (tl.sum(grad, 1) / num_experts)[:, None] - unit * along[:, None])
    tl.store(grad_ptr + cells, grad, mask=mask)


def route_triton(
    logits_TE: torch.Tensor, scale: float, top_k: int, sigmoid: bool, bias_E: torch.Tensor | None, renormalize: bool
) -> tuple[torch.Tensor, ...]:
    return _Route.apply(logits_TE, scale, top_k, sigmoid, bias_E, renormalize)


class _Route(torch.autograd.Function):
    """Logits → gate, expert, weight, probability, counts."""

    @staticmethod
    def forward(ctx, logits_TE, scale: float, top_k: int, sigmoid: bool, bias_E, renormalize: bool):
        logits_TE = logits_TE.contiguous()
        gate_TE = torch.empty_like(logits_TE, dtype=torch.float32)
        expert_TK, weight_TK, probability_TK = _empty_choice(logits_TE, top_k)
        counts_E = torch.zeros(logits_TE.shape[1], dtype=torch.long, device=logits_TE.device)
        ctx.form = {"GATE": (SIGMOID if sigmoid else SOFTMAX).value, "NORMALIZE": scale != 0, "RENORMALIZE": renormalize}
        outputs = (gate_TE, expert_TK, weight_TK, probability_TK, counts_E)
        _launch_forward(logits_TE, bias_E, *outputs, scale, top_k, ctx.form)
        ctx.save_for_backward(logits_TE, expert_TK, probability_TK)
        ctx.scale, ctx.top_k = scale, top_k
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(expert_TK, probability_TK, counts_E)
        return outputs

    @staticmethod
    def backward(ctx, grad_gate_TE, _expert, grad_weight_TK, _probability, _counts):
        if grad_gate_TE is None and grad_weight_TK is None:
            return None, None, None, None, None, None
        logits_TE, expert_TK, probability_TK = ctx.saved_tensors
        top_k = ctx.top_k if grad_weight_TK is not None else 0
        grad_TE = torch.empty_like(logits_TE)
        gradients = (grad_gate_TE, grad_weight_TK, grad_TE)
        _launch_backward(logits_TE, expert_TK, probability_TK, *gradients, ctx.scale, top_k, ctx.form)
        return grad_TE, None, None, None, None, None


def _empty_choice(logits_TE: torch.Tensor, top_k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    expert_TK = torch.empty(logits_TE.shape[0], top_k, dtype=torch.long, device=logits_TE.device)
    weight_TK = torch.empty_like(expert_TK, dtype=torch.float32)
    return expert_TK, weight_TK, torch.empty_like(weight_TK)


def _blocks(num_experts: int, top_k: int) -> dict[str, int]:
    block_e = triton.next_power_of_2(num_experts)
    return {"BLOCK_T": max(1, BLOCK_ELEMENTS // block_e), "BLOCK_E": block_e, "BLOCK_K": triton.next_power_of_2(max(top_k, 1))}


def _launch_forward(
    logits_TE, bias_E, gate_TE, expert_TK, weight_TK, probability_TK, counts_E, scale: float, top_k: int, form: dict
) -> None:
    num_tokens, num_experts = logits_TE.shape
    if num_tokens == 0:
        return
    blocks = _blocks(num_experts, top_k)
    _forward[(triton.cdiv(num_tokens, blocks["BLOCK_T"]),)](
        *(logits_TE, bias_E.contiguous() if bias_E is not None else None),
        *(gate_TE, expert_TK, weight_TK, probability_TK, counts_E),
        *(num_tokens, num_experts, scale, MIN_DEVIATION),
        TOP_K=top_k,
        BIAS=bias_E is not None,
        **form,
        **blocks,
    )


def _launch_backward(
    logits_TE, expert_TK, probability_TK, grad_gate_TE, grad_weight_TK, grad_TE, scale: float, top_k: int, form: dict
) -> None:
    num_tokens, num_experts = grad_TE.shape
    if num_tokens == 0:
        return
    grad_gate_TE = grad_gate_TE.contiguous() if grad_gate_TE is not None else None
    grad_weight_TK = grad_weight_TK.contiguous() if grad_weight_TK is not None else None
    blocks = _blocks(num_experts, top_k)
    _backward[(triton.cdiv(num_tokens, blocks["BLOCK_T"]),)](
        *(logits_TE, expert_TK, probability_TK, grad_gate_TE, grad_weight_TK, grad_TE),
        *(num_tokens, num_experts, scale, MIN_DEVIATION),
        TOP_K=top_k,
        HAS_GATE_GRADIENT=grad_gate_TE is not None,
        **form,
        **blocks,
    )
