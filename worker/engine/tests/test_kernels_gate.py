"""The Triton gate, run by Triton's interpreter, against the plain one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moestro_engine.kernels import gate_triton
from moestro_engine.kernels.gate import Routing, count_experts, gate_probabilities, route
from moestro_engine.kernels.select import forced

# Sums over the experts in another order.
FP32 = {"atol": 2e-6, "rtol": 2e-5}


def both(compute, *values: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """What ``compute`` returns and its inputs' gradients, in the plain form and in Triton's."""
    found = []
    for form in ("plain", "triton"):
        inputs = [value.clone().requires_grad_() for value in values]
        with forced(form):
            outputs = compute(*inputs)
        generator = torch.Generator().manual_seed(1)
        slopes = [torch.randn(o.shape, generator=generator) for o in outputs]
        torch.autograd.backward(
            *zip(*[(o, s.to(o.dtype)) for o, s in zip(outputs, slopes, strict=True) if o.requires_grad], strict=True)
        )
        found.append([*outputs, *(value.grad for value in inputs)])
    return found[0], found[1]


def assert_equal(plain: list[torch.Tensor], triton: list[torch.Tensor], **tolerance) -> None:
    for expected, actual in zip(plain, triton, strict=True):
        assert actual.dtype == expected.dtype
        torch.testing.assert_close(actual, expected, **tolerance)


def tolerance(logits: torch.Tensor, scale: float) -> dict[str, float]:
    """Gradients grow, and their rounding with them, by lambda over the least deviation of a token's logits."""
    slope = scale / logits.std(-1).min().item() if scale else 1.0
    return FP32 | {"atol": FP32["atol"] * max(1.0, slope)}


@st.composite
def gates(draw) -> tuple[torch.Tensor, int, float]:
    """Logits [T, E] without ties, k and lambda."""
    num_experts = draw(st.integers(2, 20))
    top_k = draw(st.integers(1, num_experts))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = torch.randn(draw(st.integers(1, 40)), num_experts, generator=generator) * draw(st.floats(0.1, 5))
    return logits, top_k, draw(st.sampled_from([0.0, 0.5, 1.0, 2.0]))


def test_the_kernels_under_test_are_interpreted():
    assert type(gate_triton._forward).__name__ == "InterpretedFunction"


@given(gates())
@settings(max_examples=40, deadline=None)
def test_the_fused_gate_equals_the_plain_one_forwards_and_backwards(case):
    logits, top_k, scale = case
    assert_equal(*both(lambda z: route(z, scale, top_k), logits), **tolerance(logits, scale))


@given(gates(), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_sigmoids_biases_and_weights_as_they_are_equal_the_plain_ones(case, sigmoid, biased, renormalize):
    logits, top_k, scale = case
    num_experts = logits.shape[1]
    bias = torch.linspace(-0.3, 0.3, num_experts)[torch.randperm(num_experts)] if biased else None

    def fused(z):
        return route(z, scale, top_k, sigmoid, bias, renormalize)

    # Saturated sigmoids tie, and forms may then choose differently.
    if sigmoid and gate_probabilities(logits, scale, True).max() > 0.999:
        logits = logits * 0.2
    assert_equal(*both(fused, logits), **tolerance(logits, scale))


@pytest.mark.parametrize(("num_tokens", "num_experts", "top_k"), [(1, 3, 3), (1, 1, 1), (513, 3, 2), (5, 512, 16), (9, 500, 16)])
def test_odd_sizes_agree(num_tokens, num_experts, top_k):
    logits = torch.randn(num_tokens, num_experts, generator=torch.Generator().manual_seed(2))
    # One expert has no spread to normalise by.
    scale = 1.0 if num_experts > 1 else 0.0
    assert_equal(*both(lambda z: route(z, scale, top_k), logits), **FP32)


def test_bf16_logits_agree_and_get_a_bf16_gradient():
    logits = torch.randn(50, 8, generator=torch.Generator().manual_seed(3)).bfloat16()
    plain, triton = both(lambda z: route(z, 1.0, 2), logits)
    # Equal bf16 logits are common, and the plain top-k may break ties otherwise.
    distinct = torch.tensor([row.unique().numel() == 8 for row in logits])
    assert distinct.sum() > 40
    for index in (0, 1, 2, 3, 5):
        torch.testing.assert_close(triton[index][distinct], plain[index][distinct], atol=1e-2, rtol=1e-2)


def test_a_gradient_of_the_weights_alone_or_of_the_gate_alone_agrees():
    logits = torch.randn(11, 5, generator=torch.Generator().manual_seed(4))
    assert_equal(*both(lambda z: (route(z, 1.0, 2).weight_TK,), logits), **FP32)
    assert_equal(*both(lambda z: (route(z, 1.0, 2).gate_TE,), logits), **FP32)


def test_the_kernels_gradient_is_that_of_finite_differences():
    logits = torch.tensor([[0.3, -1.1, 2.0, 0.7], [1.5, 0.2, -0.4, -2.0]])
    slope_TE, slope_TK = torch.randn(2, 4), torch.randn(2, 2)

    def value(z: torch.Tensor) -> torch.Tensor:
        routing = _triton(z)
        return (routing.gate_TE * slope_TE).sum() + (routing.weight_TK * slope_TK).sum()

    point = logits.clone().requires_grad_()
    value(point).backward()
    step = 1e-2
    for cell in torch.eye(8).view(8, 2, 4):
        difference = (value(logits + step * cell) - value(logits - step * cell)) / (2 * step)
        assert (point.grad * cell).sum().item() == pytest.approx(difference.item(), abs=2e-3)


def test_ties_go_to_the_lowest_experts_and_have_the_gradient_of_that_choice():
    logits = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 2.0, 0.0, 2.0]], requires_grad=True)
    routing = _triton(logits)
    assert routing.expert_TK.tolist() == [[0, 1], [1, 3]]
    torch.testing.assert_close(routing.weight_TK, torch.full((2, 2), 0.5))
    reference = logits.detach().clone().requires_grad_()
    chosen = gate_probabilities(reference, 1.0).gather(1, routing.expert_TK)
    for weights in (routing.weight_TK, chosen / chosen.sum(1, keepdim=True)):
        weights[:, 0].sum().backward()
    assert logits.grad.isfinite().all()
    torch.testing.assert_close(logits.grad, reference.grad)


def test_an_expert_that_nobody_chose_counts_zero_and_all_counts_add_up():
    logits = torch.randn(70, 6, generator=torch.Generator().manual_seed(5))
    logits[:, 4] = -50
    routing = _triton(logits)
    assert routing.counts_E[4] == 0
    assert routing.counts_E.sum() == 140
    assert torch.equal(routing.counts_E, count_experts(routing.expert_TK, 6))


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_token_whose_logits_are_not_numbers_still_names_experts_that_exist():
    logits = torch.tensor([[0.0, 1.0, 2.0], [float("nan"), 1.0, 2.0]])
    routing = _triton(logits)
    assert routing.expert_TK[0].tolist() == [2, 1]
    assert sorted(routing.expert_TK[1].tolist()) == [0, 1]
    assert routing.weight_TK[1].isnan().all()


def test_a_bias_changes_who_is_chosen_and_no_weight():
    probabilities = torch.tensor([[0.5, 0.3, 0.15, 0.05]])
    bias = torch.tensor([-0.4, 0.0, 0.0, 0.2])
    for form in ("plain", "triton"):
        with forced(form):
            _, expert, weight, probability, _ = route(probabilities.log(), 0.0, 2, bias_E=bias)
        # Scores 0.1, 0.3, 0.15, 0.25: experts 1 and 3; weights of 0.3 and 0.05 out of 0.35.
        assert expert.tolist() == [[1, 3]]
        torch.testing.assert_close(probability, torch.tensor([[0.3, 0.05]]))
        torch.testing.assert_close(weight, torch.tensor([[6 / 7, 1 / 7]]))


@pytest.mark.filterwarnings("ignore:overflow")
def test_sigmoids_that_are_all_next_to_nothing_still_make_finite_weights():
    logits = torch.full((3, 4), -120.0)
    for form in ("plain", "triton"):
        z = logits.clone().requires_grad_()
        with forced(form):
            routing = route(z, 0.0, 2, sigmoid=True)
        assert routing.weight_TK.isfinite().all()
        routing.weight_TK.sum().backward()
        assert z.grad.isfinite().all()


def test_no_tokens_give_no_routes():
    routing = _triton(torch.zeros(0, 4))
    assert [tuple(part.shape) for part in routing] == [(0, 4), (0, 2), (0, 2), (0, 2), (4,)]
    assert not routing.counts_E.any()


def _triton(logits: torch.Tensor) -> Routing:
    with forced("triton"):
        return route(logits, 1.0, 2)
