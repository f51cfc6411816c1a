"""Gate, permutation, grouped product and a whole MoE layer in bf16: plain path, kernels, and the roofline.

A time is the median of several runs, measured by the device's events, so it includes what the device
waits for the host. The roofline counts each tensor that must be read or written once, and the
arithmetic on rows that carry a token.
"""

from collections.abc import Callable

import torch
from check_kernels import NORMALIZATION, make_placing
from machine import median_ms
from moestro_engine.kernels.gate import Routing, route
from moestro_engine.kernels.grouped import grouped_swiglu, looped_swiglu
from moestro_engine.kernels.permute import permute, unpermute
from moestro_engine.kernels.select import forced

BF16 = torch.bfloat16
CAPACITY_FACTOR = 1.25


def time_kernels(machine, sizes, with_layer: bool) -> list[dict[str, object]]:
    """One entry per operation, width and pass; one that says so for an operation that does not fit."""
    torch.manual_seed(1)
    operations = [_gate, _permute, _unpermute, _grouped]
    if with_layer:
        operations += [_layer, _padded_layer]
    found = []
    for widths in sizes.layers:
        for operation in operations:
            try:
                found += operation(_Bench(machine, sizes, widths))
            except torch.OutOfMemoryError:
                what = operation.__name__.strip("_").replace("_", " ")
                found.append({"what": what, "widths": widths.name, "failed": True})
            machine.release()
    return found


class _Bench:
    """Times one operation at one model's widths."""

    def __init__(self, machine, sizes, widths) -> None:
        self.machine, self.widths = machine, widths
        self.tokens, self.rows = sizes.num_tokens, sizes.num_tokens * widths.top_k
        self._repeats = sizes.repeats

    def random(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, device=self.machine.device).mul_(0.02).to(BF16)

    def placing(self) -> dict:
        return make_placing(
            self.random(self.tokens, self.widths.num_experts), self.widths.top_k, 0.0
        )

    def measure(
        self,
        what: str,
        inputs: list[torch.Tensor],
        forms: dict[str, Callable[..., torch.Tensor]],
        forward: tuple[float, float],
        backward: tuple[float, float],
    ) -> list[dict[str, object]]:
        """``forward`` and ``backward`` are FLOPs and bytes; forms are named plain and triton."""
        times = {name: self._time(name, form, inputs) for name, form in forms.items()}
        found = []
        for index, (name, work) in enumerate(
            (("forward", forward), ("backward", backward))
        ):
            plain, kernels = times["plain"][index], times["triton"][index]
            least = self.machine.roofline_ms(*work)
            entry = {"what": what, "widths": self.widths.name, "pass": name}
            entry |= {"tokens": self.tokens, "plain_ms": plain, "kernels_ms": kernels}
            found.append(entry | {"roofline_ms": least, "share": least / kernels})
        return found

    def _time(self, name, form, inputs) -> tuple[float, float]:
        leaves = [value.detach().requires_grad_() for value in inputs]

        def forward() -> torch.Tensor:
            with forced(name):
                return form(*leaves)

        out = forward()
        grad = torch.randn_like(out)

        def backward() -> None:
            for leaf in leaves:
                leaf.grad = None
            out.backward(grad, retain_graph=True)

        device = self.machine.device
        return tuple(
            median_ms(work, device, self._repeats) for work in (forward, backward)
        )


def _gate(bench: _Bench) -> list[dict[str, object]]:
    tokens, experts, top_k = bench.tokens, bench.widths.num_experts, bench.widths.top_k
    logits = bench.random(tokens, experts)
    # bf16 logits in; fp32 gate, weights and probabilities and int64 experts out.
    forward = tokens * (experts * (2 + 4) + top_k * (4 + 4 + 8))
    backward = tokens * (experts * (2 + 2) + top_k * (4 + 4 + 8))

    def weights(z: torch.Tensor) -> torch.Tensor:
        return route(z, NORMALIZATION, top_k).weight_TK

    forms = {"plain": weights, "triton": weights}
    return bench.measure("gate", [logits], forms, (0, forward), (0, backward))


def _permute(bench: _Bench) -> list[dict[str, object]]:
    known = bench.placing()
    del known["weight_TK"]
    x = bench.random(bench.tokens, bench.widths.hidden)

    def rows(x: torch.Tensor) -> torch.Tensor:
        return permute(x, **known)

    traffic = 2 * bench.widths.hidden * (bench.tokens + bench.rows)
    forms = {"plain": rows, "triton": rows}
    return bench.measure("permute", [x], forms, (0, traffic), (0, traffic))


def _unpermute(bench: _Bench) -> list[dict[str, object]]:
    known = bench.placing()
    weights = known.pop("weight_TK")
    rows = bench.random(bench.rows, bench.widths.hidden)

    def tokens(rows: torch.Tensor, weight_TK: torch.Tensor) -> torch.Tensor:
        return unpermute(rows, weight_TK=weight_TK, **known)

    forward = 2 * bench.widths.hidden * (bench.tokens + bench.rows)
    # Reads the tokens' gradients and the rows, writes the rows' gradients.
    backward = 2 * bench.widths.hidden * (bench.tokens + 2 * bench.rows)
    forms = {"plain": tokens, "triton": tokens}
    inputs = [rows, weights]
    return bench.measure("un-permute", inputs, forms, (0, forward), (0, backward))


def _grouped(bench: _Bench) -> list[dict[str, object]]:
    widths = bench.widths
    chosen = torch.randint(widths.num_experts, (bench.rows,))
    counts = torch.bincount(chosen, minlength=widths.num_experts)
    on_host, on_device = counts.tolist(), counts.to(bench.machine.device)
    inner, outer = (widths.hidden, widths.ffn), (widths.ffn, widths.hidden)
    weights = [bench.random(widths.num_experts, *s) for s in (inner, inner, outer)]
    inputs = [bench.random(bench.rows, widths.hidden), *weights]
    forms = {
        "plain": lambda x, *w: looped_swiglu(x, on_host, *w),
        "triton": lambda x, *w: grouped_swiglu(x, on_device, *w),
    }
    forward, backward = _expert_work(bench)
    return bench.measure("grouped product", inputs, forms, forward, backward)


def _layer(bench: _Bench, capacity_factor: float = 0.0) -> list[dict[str, object]]:
    from moestro.v1 import job_pb2
    from moestro_engine.model.moe import MoeLayer

    widths = bench.widths
    model = job_pb2.ModelConfig(hidden_size=widths.hidden, ffn_hidden_size=widths.ffn)
    moe = job_pb2.MoeConfig(num_experts=widths.num_experts, top_k=widths.top_k)
    moe.capacity_factor, moe.gate_normalization = capacity_factor, NORMALIZATION
    with bench.machine.device:
        layer = MoeLayer(model, moe).to(BF16)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    x = bench.random(1, bench.tokens, widths.hidden)
    # Names by order, for functional_call: their gradients are taken too.
    names = [name for name, _ in layer.named_parameters()]
    parameters = [parameter.detach() for parameter in layer.parameters()]
    balance = _Unwatched() if capacity_factor else None

    def run(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        own = dict(zip(names, values, strict=True))
        return torch.func.functional_call(layer, own, (x, 0, balance))

    forms = {"plain": run, "triton": run}
    what = f"MoE layer, capacity {capacity_factor}" if capacity_factor else "MoE layer"
    inputs = [x, *parameters]
    return bench.measure(what, inputs, forms, *_expert_work(bench))


def _padded_layer(bench: _Bench) -> list[dict[str, object]]:
    return _layer(bench, CAPACITY_FACTOR)


class _Unwatched:
    """A training micro-batch, which drops over capacity, without an auxiliary loss."""

    def watch(self, layer: int, routing: Routing) -> Routing:
        return routing


def _expert_work(bench: _Bench) -> tuple[tuple[float, float], tuple[float, float]]:
    """FLOPs and bytes of the experts forwards and backwards: three products, then two gradients of each."""
    widths = bench.widths
    flops = 6 * bench.rows * widths.hidden * widths.ffn
    weights = 3 * 2 * widths.num_experts * widths.hidden * widths.ffn
    ends = 2 * 2 * bench.rows * widths.hidden
    return (flops, weights + ends), (2 * flops, 2 * weights + 2 * ends)
