"""Who is dropped under which policy, against a loop over assignments; and rows without padding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moestro_engine.kernels.gate import Routes, choose
from moestro_engine.model.capacity import place_with_capacity, without_padding
from moestro_engine.model.dispatch import combine, dispatch


@st.composite
def routings(draw) -> tuple[Routes, int, int]:
    """Routes without equal probabilities, the number of experts, and a capacity of at most all tokens."""
    num_experts, num_tokens = draw(st.integers(2, 6)), draw(st.integers(1, 16))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    logits = torch.randn(num_tokens, num_experts, generator=generator)
    logits[:, 0] += draw(st.sampled_from([0.0, 2.0]))
    routes = choose(logits.softmax(-1), draw(st.integers(1, num_experts)))
    return routes, num_experts, draw(st.integers(1, num_tokens))


def kept_by_loop(routes: Routes, num_experts: int, capacity: int, by_position: bool) -> set[tuple[int, int]]:
    """(token, expert) of the assignments that keep their place."""
    kept = set()
    for expert in range(num_experts):
        wishes = [
            (-t if by_position else routes.probability_TK[t, k].item(), t)
            for t, chosen in enumerate(routes.expert_TK.tolist())
            for k, e in enumerate(chosen)
            if e == expert
        ]
        kept |= {(t, expert) for _, t in sorted(wishes, reverse=True)[:capacity]}
    return kept


@given(routings(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_each_policy_keeps_what_a_loop_over_assignments_keeps(case, by_position):
    routes, num_experts, capacity = case
    placing = place_with_capacity(routes, num_experts, capacity, by_position)
    kept = {
        (t, e) for t, chosen in enumerate(routes.expert_TK.tolist()) for k, e in enumerate(chosen) if placing.valid_TK[t, k] > 0
    }
    assert kept == kept_by_loop(routes, num_experts, capacity, by_position)


@given(routings(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_rows_without_padding_are_the_taken_ones_and_give_the_same_output_and_gradients(case, by_position):
    routes, num_experts, capacity = case
    padded = place_with_capacity(routes, num_experts, capacity, by_position)
    compact, counts_E = without_padding(padded, num_experts)
    assert counts_E.sum() == compact.assignment_R.shape[0] == int(padded.valid_TK.sum())
    assert compact.valid_R.all()
    expert_R = routes.expert_TK.flatten()[compact.assignment_R]
    assert torch.equal(torch.bincount(expert_R, minlength=num_experts), counts_E)
    assert torch.equal(expert_R, expert_R.sort().values)
    found = []
    for placing in (padded, compact):
        x = torch.linspace(-1, 1, routes.expert_TK.shape[0] * 3).view(-1, 3).requires_grad_()
        weight = routes.weight_TK.clone().requires_grad_()
        out = combine(dispatch(x, placing).square(), placing, weight)
        out.sum().backward()
        found.append((out.detach(), x.grad, weight.grad))
    for ours, expected in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(ours, expected)


def test_position_drops_the_last_tokens_whatever_their_probability_or_rank_of_choice():
    # Expert 0 is the second choice of token 0 and the first of tokens 1 and 2; two places.
    routes = choose(torch.tensor([[0.4, 0.6], [0.7, 0.3], [0.9, 0.1]]), 2)
    valid = place_with_capacity(routes, 2, 2, by_position=True).valid_TK
    assert valid.tolist() == [[1, 1], [1, 1], [0, 0]]
    # By probability token 0's second choice would have gone.
    valid = place_with_capacity(routes, 2, 2).valid_TK
    assert valid.tolist() == [[1, 0], [1, 1], [1, 0]]


@pytest.mark.parametrize("by_position", [False, True])
def test_probabilities_of_zero_are_assignments_too(by_position):
    routes = choose(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), 2)
    placing, counts_E = without_padding(place_with_capacity(routes, 2, 2, by_position), 2)
    assert counts_E.tolist() == [2, 2]
    assert placing.valid_TK.all()


def test_probabilities_that_are_not_numbers_take_places_so_that_the_loss_shows_them():
    routes = choose(torch.full((3, 2), torch.nan), 1)
    placing, counts_E = without_padding(place_with_capacity(routes, 2, 2), 2)
    assert counts_E.sum() == 2
    out = combine(dispatch(torch.ones(3, 4), placing), placing, routes.weight_TK)
    assert out.isnan().any()
