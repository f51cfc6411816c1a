"""Who gets a place at an expert, and tokens to experts and back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import Routes, choose
from moestro_engine.model.capacity import expert_capacity, place_all, place_with_capacity
from moestro_engine.model.dispatch import combine, dispatch


@st.composite
def routed_tokens(draw) -> tuple[torch.Tensor, Routes, int]:
    """Tokens [T, 3], their routes over E experts, and E."""
    num_experts = draw(st.integers(1, 6))
    top_k = draw(st.integers(1, num_experts))
    num_tokens = draw(st.integers(1, 20))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    # A skewed gate, so that capacities overflow.
    logits = torch.randn(num_tokens, num_experts, generator=generator) + torch.arange(num_experts) * draw(st.floats(0, 2))
    return torch.randn(num_tokens, 3, generator=generator), choose(logits.softmax(-1), top_k), num_experts


def test_capacity_is_the_even_share_times_the_factor_rounded_up():
    # 10 tokens, top-2 of 4 experts: an even share of 5; 1.1 * 5 = 5.5 → 6; never more than the tokens.
    assert expert_capacity(10, job_pb2.MoeConfig(num_experts=4, top_k=2, capacity_factor=1.1)) == 6
    assert expert_capacity(10, job_pb2.MoeConfig(num_experts=4, top_k=2, capacity_factor=9)) == 10


def test_an_expert_over_capacity_keeps_its_most_probable_assignments():
    # Three tokens choose expert 0 with 0.6, 0.9 and 0.7; with two places the token with 0.6 is dropped.
    routes = choose(torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.7, 0.3]]), 1)
    placing = place_with_capacity(routes, num_experts=2, capacity=2)
    assert placing.valid_TK.flatten().tolist() == [0, 1, 1]
    assert placing.valid_R.tolist() == [1, 1, 0, 0]
    out = combine(dispatch(torch.tensor([[1.0], [2.0], [3.0]]), placing), placing, routes.weight_TK)
    # A weight renormalised over a single chosen expert is 1.
    assert out.flatten().tolist() == [0, 2, 3]


def test_a_dropped_assignment_takes_its_share_of_the_token_with_it():
    # Both tokens choose experts 0 and 1; with one place each, expert 0 keeps token 1 and expert 1 token 0.
    routes = choose(torch.tensor([[0.5, 0.5], [0.8, 0.2]]), 2)
    placing = place_with_capacity(routes, num_experts=2, capacity=1)
    out = combine(dispatch(torch.tensor([[10.0], [10.0]]), placing), placing, routes.weight_TK)
    assert out.flatten().tolist() == pytest.approx([5.0, 8.0])


@given(routed_tokens())
@settings(max_examples=80, deadline=None)
def test_tokens_sent_to_experts_that_do_nothing_come_back_whole(case):
    tokens, routes, _ = case
    placing = place_all(routes)
    torch.testing.assert_close(combine(dispatch(tokens, placing), placing, routes.weight_TK), tokens)


@given(routed_tokens())
@settings(max_examples=80, deadline=None)
def test_rows_without_capacity_are_a_permutation_ordered_by_expert(case):
    _, routes, num_experts = case
    placing = place_all(routes)
    assert sorted(placing.assignment_R.tolist()) == list(range(routes.expert_TK.numel()))
    experts = routes.expert_TK.flatten()[placing.assignment_R]
    counts = torch.bincount(routes.expert_TK.flatten(), minlength=num_experts)
    assert torch.equal(experts, torch.arange(num_experts).repeat_interleave(counts))


@given(routed_tokens(), st.integers(1, 20))
@settings(max_examples=120, deadline=None)
def test_no_expert_exceeds_its_capacity_and_kept_plus_dropped_is_all(case, capacity):
    tokens, routes, num_experts = case
    capacity = min(capacity, tokens.shape[0])
    placing = place_with_capacity(routes, num_experts, capacity)
    routed = torch.bincount(routes.expert_TK.flatten(), minlength=num_experts)
    kept = torch.bincount(routes.expert_TK[placing.valid_TK > 0], minlength=num_experts)
    assert torch.equal(kept, routed.clamp(max=capacity))
    assert torch.equal(placing.valid_R.view(num_experts, capacity).sum(1).long(), kept)
    # A kept assignment and its row name each other, and the row lies at the assignment's expert.
    for token, choice in (placing.valid_TK > 0).nonzero().tolist():
        row = int(placing.row_TK[token, choice])
        assert placing.assignment_R[row] == token * routes.expert_TK.shape[1] + choice
        assert row // capacity == routes.expert_TK[token, choice]


@given(routed_tokens(), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_gradients_agree_with_the_dense_formula(case, capacity):
    tokens, routes, num_experts = case
    placing = place_with_capacity(routes, num_experts, min(capacity, tokens.shape[0]))
    x, weights = tokens.clone().requires_grad_(), routes.weight_TK.clone().requires_grad_()
    # Each expert scales its rows, so that a row at the wrong expert would show.
    rows = dispatch(x, placing)
    scale_R1 = (torch.arange(rows.shape[0]) // (rows.shape[0] // num_experts) + 1.0).unsqueeze(1)
    combine(rows * scale_R1, placing, weights).square().sum().backward()
    dense_x, dense_weights = tokens.clone().requires_grad_(), routes.weight_TK.clone().requires_grad_()
    factor_T1 = (dense_weights * placing.valid_TK * (routes.expert_TK + 1)).sum(1, keepdim=True)
    (dense_x * factor_T1).square().sum().backward()
    torch.testing.assert_close(x.grad, dense_x.grad)
    torch.testing.assert_close(weights.grad, dense_weights.grad)
