"""The Triton permutation, run by Triton's interpreter, against the plain one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moestro_engine.kernels import permute_triton
from moestro_engine.kernels.gate import choose
from moestro_engine.kernels.permute import permute, unpermute
from moestro_engine.kernels.select import forced
from moestro_engine.model.capacity import Placing, place_all, place_with_capacity
from moestro_engine.model.dispatch import combine, dispatch

TOLERANCE = {torch.float32: {"atol": 1e-5, "rtol": 1e-5}, torch.bfloat16: {"atol": 5e-2, "rtol": 2e-2}}


def make_case(num_tokens: int, num_experts: int, top_k: int, capacity: int, width: int, seed: int):
    """Tokens [T, D], their placing (dropless for capacity 0) and weights; the gate favours the last experts."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(num_tokens, num_experts, generator=generator) + torch.arange(num_experts)
    routes = choose(logits.softmax(-1), top_k)
    placing = place_with_capacity(routes, num_experts, min(capacity, num_tokens)) if capacity else place_all(routes)
    return torch.randn(num_tokens, width, generator=generator), placing, routes.weight_TK


def run(form: str, x_TD: torch.Tensor, placing: Placing, weight_TK: torch.Tensor) -> dict[str, torch.Tensor]:
    """Dispatch, experts that scale each row by a factor of its own, combine; and every gradient."""
    x, weights = x_TD.clone().requires_grad_(), weight_TK.clone().requires_grad_()
    with forced(form):
        rows = dispatch(x, placing)
        rows.retain_grad()
        scaled = rows * torch.linspace(0.5, 2, rows.shape[0], dtype=rows.dtype).unsqueeze(1)
        out = combine(scaled, placing, weights)
    out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(9)).to(out.dtype))
    return {
        "rows": rows.detach()[placing.valid_R > 0],
        "out": out.detach(),
        "grad rows": rows.grad,
        "grad x": x.grad,
        "grad weights": weights.grad,
    }


def assert_agrees(case, dtype: torch.dtype = torch.float32) -> None:
    x_TD, placing, weight_TK = case
    plain, triton = (run(form, x_TD.to(dtype), placing, weight_TK) for form in ("plain", "triton"))
    for name, expected in plain.items():
        assert triton[name].dtype == expected.dtype
        torch.testing.assert_close(triton[name], expected, **TOLERANCE[dtype], msg=lambda text, name=name: f"{name}: {text}")


def test_the_kernels_under_test_are_interpreted():
    assert type(permute_triton._gather).__name__ == "InterpretedFunction"


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 5), st.integers(1, 20), st.integers(0, 999), st.data())
@settings(max_examples=30, deadline=None)
def test_dispatch_and_combine_agree_with_the_plain_ones_forwards_and_backwards(experts, tokens, capacity, width, seed, data):
    assert_agrees(make_case(tokens, experts, data.draw(st.integers(1, experts)), capacity, width, seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize(
    ("num_tokens", "num_experts", "top_k", "capacity", "width"),
    [(1, 3, 3, 0, 5), (1, 3, 1, 1, 1), (7, 3, 2, 2, 33), (13, 3, 3, 4, 2049), (6, 20, 16, 0, 24)],
)
def test_odd_sizes_agree(num_tokens, num_experts, top_k, capacity, width, dtype):
    assert_agrees(make_case(num_tokens, num_experts, top_k, capacity, width, seed=1), dtype)


def test_with_capacity_one_almost_everything_is_dropped_and_the_rest_agrees():
    case = make_case(12, 4, 2, 1, 8, seed=2)
    assert case[1].valid_TK.sum() < 5
    assert_agrees(case)


def test_an_expert_without_tokens_has_rows_of_padding_only():
    routes = choose(torch.tensor([[0.6, 0.4, 0.0], [0.7, 0.3, 0.0]]), 2)
    placing = place_with_capacity(routes, 3, 2)
    assert placing.valid_R.tolist() == [1, 1, 1, 1, 0, 0]
    assert_agrees((torch.randn(2, 4), placing, routes.weight_TK))


def test_rows_and_assignments_below_zero_are_dropped_ones_and_padding():
    # Token 0 keeps only its second choice, in row 0; row 1 is padding.
    row_TK, assignment_R, ones = torch.tensor([[-1, 0]]), torch.tensor([1, -1]), torch.ones(2)
    x = torch.tensor([[2.0, 3.0]], requires_grad=True)
    weights = torch.tensor([[0.25, 0.75]], requires_grad=True)
    with forced("triton"):
        rows = permute(x, assignment_R, ones, row_TK, ones.view(1, 2))
        assert rows.tolist() == [[2, 3], [0, 0]]
        out = unpermute(rows, assignment_R, ones, row_TK, ones.view(1, 2), weights)
    assert out.tolist() == [[1.5, 2.25]]
    out.sum().backward()
    assert x.grad.tolist() == [[0.75, 0.75]]
    assert weights.grad.tolist() == [[0, 5]]


def test_inputs_that_are_not_contiguous_agree():
    x_TD, placing, weight_TK = make_case(9, 4, 2, 3, 6, seed=3)
    assert_agrees((x_TD.t().contiguous().t(), placing, weight_TK.t().contiguous().t()))


def test_when_all_assignments_are_dropped_nothing_comes_back():
    none, nowhere = torch.zeros(0, dtype=torch.long), torch.zeros(3, 2, dtype=torch.long)
    placing = Placing(nowhere, torch.zeros(3, 2), none, torch.zeros(0))
    case = torch.randn(3, 4), placing, torch.ones(3, 2)
    assert_agrees(case)
    assert not run("plain", *case)["out"].any()
