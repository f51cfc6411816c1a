"""The gate against values worked out by hand, finite differences and a plain sort."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moestro_engine.kernels.gate import choose, gate_probabilities, normalize_logits, route


def test_normalisation_divides_the_centred_logits_by_their_unbiased_deviation():
    # z = (1, 2, 3, 6): mean 3; squared distances 4 + 1 + 0 + 9 = 14; unbiased variance 14 / 3;
    # sigma = 2.160247. (z - 3) / sigma = (-0.925820, -0.462910, 0, 1.388730); lambda 2 doubles them.
    logits = torch.tensor([[1.0, 2.0, 3.0, 6.0]])
    expected = torch.tensor([[-1.851640, -0.925820, 0.0, 2.777460]])
    torch.testing.assert_close(normalize_logits(logits, 2.0), expected, atol=1e-6, rtol=0)


def test_the_gate_of_normalised_logits_is_the_softmax_worked_out_by_hand():
    # exp(-0.925820, -0.462910, 0, 1.388730) = 0.396206, 0.629449, 1, 4.009755; sum 6.035410.
    normalised = normalize_logits(torch.tensor([[1.0, 2.0, 3.0, 6.0]]), 1.0)
    expected = torch.tensor([[0.065647, 0.104292, 0.165689, 0.664372]])
    torch.testing.assert_close(torch.softmax(normalised, -1), expected, atol=1e-6, rtol=0)


def test_a_lambda_of_zero_leaves_the_logits_alone():
    logits = torch.tensor([[0.5, -7.0, 3.0]])
    assert torch.equal(normalize_logits(logits, 0.0), logits)


def test_equal_logits_give_equal_gates_and_a_finite_gradient():
    logits = torch.full((1, 4), 0.7, requires_grad=True)
    gates = torch.softmax(normalize_logits(logits, 1.0), -1)
    gates[0, 0].backward()
    torch.testing.assert_close(gates.detach(), torch.full((1, 4), 0.25))
    assert logits.grad.isfinite().all()


def test_chosen_gates_are_renormalised_to_sum_one():
    # The best two of (0.1, 0.5, 0.15, 0.25) are 0.5 and 0.25: weights 0.5 / 0.75 and 0.25 / 0.75.
    routes = choose(torch.tensor([[0.1, 0.5, 0.15, 0.25]]), 2)
    assert routes.expert_TK.tolist() == [[1, 3]]
    assert routes.weight_TK[0].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert routes.probability_TK[0].tolist() == pytest.approx([0.5, 0.25])


def test_sigmoid_gates_are_each_experts_own_and_weights_their_shares():
    # sigmoid(0, ln 3, -ln 3) = 1/2, 3/4, 1/4; the best two are 3/4 and 1/2: weights 3/5 and 2/5.
    logits = torch.tensor([[0.0, math.log(3), -math.log(3)]])
    gates = gate_probabilities(logits, 0.0, sigmoid=True)
    assert gates[0].tolist() == pytest.approx([0.5, 0.75, 0.25])
    routes = choose(gates, 2)
    assert routes.expert_TK.tolist() == [[1, 0]]
    assert routes.weight_TK[0].tolist() == pytest.approx([0.6, 0.4])


def test_without_renormalisation_weights_are_the_probabilities():
    routes = choose(torch.tensor([[0.1, 0.5, 0.15, 0.25]]), 2, renormalize=False)
    assert routes.weight_TK[0].tolist() == pytest.approx([0.5, 0.25])


@pytest.mark.parametrize("scale", [0.0, 0.7])
@pytest.mark.parametrize("sigmoid", [False, True], ids=["softmax", "sigmoid"])
@pytest.mark.parametrize("renormalize", [True, False], ids=["renormalised", "as they are"])
@pytest.mark.parametrize("biased", [False, True], ids=["unbiased", "biased"])
def test_every_gates_gradient_is_that_of_finite_differences(scale, sigmoid, renormalize, biased):
    logits = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    bias = torch.tensor([0.3, -0.2, 0.0, 0.1, -0.3], dtype=torch.float64) if biased else None

    def gate_and_weights(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gates = gate_probabilities(z, scale, sigmoid)
        return gates, choose(gates, 2, bias, renormalize)[1]

    assert torch.autograd.gradcheck(gate_and_weights, (logits,))


@given(st.integers(0, 10_000), st.integers(1, 6), st.booleans(), st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_choice_equals_a_sort_of_every_tokens_biased_probabilities(seed, top_k, sigmoid, renormalize):
    generator = torch.Generator().manual_seed(seed)
    z, bias = torch.randn(9, 6, generator=generator), torch.randn(6, generator=generator) / 4
    routing = route(z, 0.0, top_k, sigmoid, bias, renormalize)
    counts = [0] * 6
    for t in range(9):
        powers = [math.exp(v) for v in z[t].tolist()]
        gates = [p / (1 + p) if sigmoid else p / sum(powers) for p in powers]
        best = sorted(range(6), key=lambda e, gates=gates: -(gates[e] + bias[e].item()))[:top_k]
        total = sum(gates[e] for e in best) if renormalize else 1.0
        assert routing.expert_TK[t].tolist() == best
        assert routing.weight_TK[t].tolist() == pytest.approx([gates[e] / total for e in best], rel=1e-5)
        for e in best:
            counts[e] += 1
    assert routing.counts_E.tolist() == counts
