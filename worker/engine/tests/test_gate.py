"""The gate against values worked out by hand."""

import pytest
import torch

from moestro_engine.model.gate import choose_experts, normalize_logits


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
    routes = choose_experts(torch.tensor([[0.1, 0.5, 0.15, 0.25]]), 2)
    assert routes.expert_TK.tolist() == [[1, 3]]
    assert routes.weight_TK[0].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert routes.probability_TK[0].tolist() == pytest.approx([0.5, 0.25])
