"""Every kernel against its plain reference on the same device, forwards and backwards, in fp32 and bf16.

The references run in fp32 in both cases; what a bf16 kernel may differ by is bf16's rounding.
Needs torch and Triton alone.
"""

import math

import torch
import torch.nn.functional as F
from moestro_engine.kernels.gate import route
from moestro_engine.kernels.grouped import grouped_swiglu, looped_swiglu
from moestro_engine.kernels.permute import permute, unpermute
from moestro_engine.kernels.select import forced
from moestro_engine.model.experts import Experts

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
NORMALIZATION = 1.0


def check_kernels(device: torch.device, sizes) -> list[dict[str, object]]:
    """One entry per kernel, size and type: the largest difference relative to the largest value, and whether it passed."""
    torch.manual_seed(1)
    found = []
    for num_tokens, num_experts, top_k, factor, width in sizes.checked:
        for dtype in TOLERANCE:
            where = f"T {num_tokens}, E {num_experts}, k {top_k}, D {width}"
            logits = torch.randn(num_tokens, num_experts, device=device).to(dtype)
            found.append(_entry("gate", where, dtype, *_gate(logits, top_k)))
            bias = torch.linspace(-0.1, 0.1, num_experts, device=device)
            variant = _gate(logits, top_k, sigmoid=True, bias=bias, renormalize=False)
            name = "gate, sigmoids with biases, weights as they are"
            found.append(_entry(name, where, dtype, *variant))
            indices = make_placing(logits, top_k, factor)
            x = torch.randn(num_tokens, width, device=device).to(dtype)
            found.append(
                _entry("permute, un-permute", where, dtype, *_permute(x, indices))
            )
    for widths in sizes.layers:
        found += [_grouped(device, widths), _without_rows(device, widths)]
    return found


def make_placing(logits: torch.Tensor, top_k: int, factor: float) -> dict:
    """Rows by expert as the engine places them, by sorting alone; assignments past the capacity are dropped."""
    num_tokens, num_experts = logits.shape
    with forced("plain"):
        routing = route(logits, NORMALIZATION, top_k)
    order = routing.expert_TK.flatten().sort(stable=True).indices
    row_A = torch.empty_like(order)
    row_A[order] = torch.arange(order.numel(), device=order.device)
    valid_A = torch.ones(order.numel(), device=order.device)
    if factor > 0:
        capacity = math.ceil(factor * num_tokens * top_k / num_experts)
        first_E = routing.counts_E.cumsum(0) - routing.counts_E
        valid_A = (row_A - first_E[routing.expert_TK.flatten()] < capacity).float()
    return {
        "assignment_R": order,
        "valid_R": valid_A[order],
        "row_TK": row_A.view(num_tokens, top_k),
        "valid_TK": valid_A.view(num_tokens, top_k),
        "weight_TK": routing.weight_TK.detach(),
    }


def _gate(
    logits: torch.Tensor, top_k: int, sigmoid=False, bias=None, renormalize=True
) -> tuple[list, list]:
    """Values compared are independent of how ties are broken: the plain gate is asked for the kernel's experts."""
    slope_TE = torch.randn(logits.shape, device=logits.device)
    slope_TK = slope_TE[:, :top_k].contiguous()
    mine = logits.clone().requires_grad_()
    with forced("triton"):
        routing = route(mine, NORMALIZATION, top_k, sigmoid, bias, renormalize)
    loss = (routing.gate_TE * slope_TE).sum() + (routing.weight_TK * slope_TK).sum()
    loss.backward()
    reference = logits.to(torch.float32, copy=True).requires_grad_()
    with forced("plain"):
        plain = route(reference, NORMALIZATION, top_k, sigmoid, bias, renormalize)
    chosen = plain.gate_TE.gather(1, routing.expert_TK)
    weights = chosen / chosen.sum(1, keepdim=True) if renormalize else chosen
    ((plain.gate_TE * slope_TE).sum() + (weights * slope_TK).sum()).backward()
    counts = torch.zeros_like(routing.counts_E)
    flat = routing.expert_TK.flatten()
    counts.scatter_add_(0, flat, torch.ones_like(flat))
    return (
        [routing.gate_TE, routing.probability_TK, routing.weight_TK]
        + [routing.counts_E.float(), mine.grad],
        [plain.gate_TE, plain.probability_TK, weights, counts.float(), reference.grad],
    )


def _permute(x: torch.Tensor, indices: dict) -> tuple[list, list]:
    found = []
    for form, dtype in (("triton", x.dtype), ("plain", torch.float32)):
        tokens = x.to(dtype, copy=True).requires_grad_()
        weights = indices["weight_TK"].clone().requires_grad_()
        known = {name: value for name, value in indices.items() if name != "weight_TK"}
        with forced(form):
            rows = permute(tokens, **known)
            out = unpermute(rows * 1.5, weight_TK=weights, **known)
        out.backward(x.flip(0).to(dtype))
        kept = rows.detach()[indices["valid_R"] > 0]
        found.append([kept, out.detach(), tokens.grad, weights.grad])
    return found[0], found[1]


def _grouped(device: torch.device, widths) -> dict[str, object]:
    """Expert 0 gets no rows, the last one gets most."""
    counts = [0, *range(1, widths.num_experts - 1), 256]
    inner, outer = (widths.hidden, widths.ffn), (widths.ffn, widths.hidden)
    shapes = [(widths.num_experts, *pair) for pair in (inner, inner, outer)]
    weights = [0.02 * torch.randn(shape, device=device).bfloat16() for shape in shapes]
    rows = torch.randn(sum(counts), widths.hidden, device=device).bfloat16()
    found = []
    for product, given in (
        (grouped_swiglu, torch.tensor(counts, device=device)),
        (looped_swiglu, counts),
    ):
        x, *own = (t.clone().requires_grad_() for t in (rows, *weights))
        out = product(x, given, *own)
        F.mse_loss(out.float(), rows.float(), reduction="sum").backward()
        found.append([out.detach(), x.grad, *(t.grad for t in own)])
    return _entry("grouped product", widths.name, torch.bfloat16, *found)


def _without_rows(device: torch.device, widths) -> dict[str, object]:
    """A rank whose experts nobody chose: an empty output, and gradients of zero."""
    with device:
        experts = Experts(widths.num_experts, widths.hidden, widths.ffn).bfloat16()
        counts = torch.zeros(widths.num_experts, dtype=torch.long)
        x = torch.empty(0, widths.hidden, dtype=torch.bfloat16, requires_grad=True)
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    with forced("triton"):
        out = experts.ragged(x, counts)
        out.sum().backward()
    gradients = [parameter.grad for parameter in experts.parameters()]
    expected = [torch.zeros_like(gradient) for gradient in gradients]
    name = "experts without rows"
    return _entry(name, widths.name, torch.bfloat16, gradients, expected)


def _entry(kernel: str, where: str, dtype: torch.dtype, actual: list, expected: list):
    worst = max(_difference(a, e) for a, e in zip(actual, expected, strict=True))
    name = str(dtype).removeprefix("torch.")
    entry = {"what": kernel, "sizes": where, "dtype": name, "difference": worst}
    return entry | {"tolerance": TOLERANCE[dtype], "passed": worst <= TOLERANCE[dtype]}


def _difference(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference over the largest expected value; infinite where something is no number."""
    if expected.numel() == 0:
        return 0.0
    difference = (actual.float() - expected.float()).abs().max().item()
    scale = max(expected.float().abs().max().item(), 1e-6)
    return difference / scale if math.isfinite(difference) else math.inf
