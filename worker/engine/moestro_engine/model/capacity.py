"""Who gets a place at which expert: with a capacity, or dropless."""

import math
from typing import NamedTuple

import torch

from moestro.v1 import job_pb2
from moestro_engine.model.gate import Routes


class Placing(NamedTuple):
    """A partial bijection between assignments (token, k) and rows of the experts' input.

    Rows are ordered by expert. Where ``valid_TK`` is 0 the assignment was dropped and ``row_TK`` says
    nothing; where ``valid_R`` is 0 the row is padding and ``assignment_R`` says nothing.
    """

    row_TK: torch.Tensor
    valid_TK: torch.Tensor
    assignment_R: torch.Tensor
    valid_R: torch.Tensor


def expert_capacity(num_tokens: int, moe: job_pb2.MoeConfig) -> int:
    """ceil(CF * tokens * k / n) over one rank's tokens of a micro-batch, at most all of them."""
    return min(num_tokens, math.ceil(moe.capacity_factor * num_tokens * moe.top_k / moe.num_experts))


def place_with_capacity(routes: Routes, num_experts: int, capacity: int, by_position: bool = False) -> Placing:
    """Give each expert ``capacity`` assignments; the others are dropped.

    Those with the highest probability keep their place, or with ``by_position`` those of the earliest
    tokens, be the expert a token's first choice or a later one (as Megatron-Core's ``position`` policy,
    moe_utils.apply_router_token_dropping). Rows are [E * C]: every expert has all its places, taken or not.
    """
    num_tokens, top_k = routes.expert_TK.shape
    device = routes.expert_TK.device
    if by_position:
        rank_TK = torch.arange(num_tokens, 0, -1, device=device)[:, None].expand(num_tokens, top_k)
    else:
        # NaN would compare as no wish at all; as 0 it takes a place, and its weight carries it on into the loss.
        rank_TK = routes.probability_TK.nan_to_num(0.0)
    wish_ET = rank_TK.new_full((num_experts, num_tokens), -1)
    wish_ET.t().scatter_(1, routes.expert_TK, rank_TK)
    order_ET = torch.arange(num_tokens * top_k, device=device).view(num_tokens, top_k)
    # The number of the assignment (token * K + k) that token t makes to expert e.
    number_TE = torch.zeros(num_tokens, num_experts, dtype=torch.long, device=device).scatter_(1, routes.expert_TK, order_ET)
    best_EC, token_EC = wish_ET.topk(capacity, dim=1)
    taken_EC = best_EC >= 0
    assignment_R = number_TE.t().gather(1, token_EC).flatten()
    rows = torch.arange(num_experts * capacity, device=device)
    # Untaken places write to a slot of their own past the end.
    target_R = torch.where(taken_EC.flatten(), assignment_R, num_tokens * top_k)
    row_A = torch.full((num_tokens * top_k + 1,), -1, dtype=torch.long, device=device)
    row_A[target_R] = rows
    row_TK = row_A[:-1].view(num_tokens, top_k)
    valid_TK = row_TK >= 0
    dtype = routes.weight_TK.dtype
    return Placing(row_TK.clamp_min(0), valid_TK.to(dtype), assignment_R, taken_EC.flatten().to(dtype))


def without_padding(placing: Placing, num_experts: int) -> tuple[Placing, torch.Tensor]:
    """The rows of ``place_with_capacity`` that are taken, [R], and how many of each expert's are, int64 [E].

    Their number is known on the device alone, so the host waits for it: padding avoids that.
    """
    is_taken_R = placing.valid_R > 0
    kept = is_taken_R.nonzero().flatten()
    new_row_R = (is_taken_R.cumsum(0) - 1).clamp_min(0)
    counts_E = is_taken_R.view(num_experts, -1).sum(1)
    # A dropped assignment's row says nothing, but has to be one that exists.
    row_TK = new_row_R[placing.row_TK]
    return Placing(row_TK, placing.valid_TK, placing.assignment_R[kept], placing.valid_R[kept]), counts_E


def place_all(routes: Routes) -> Placing:
    """Give every assignment a row, ordered by expert; rows are [T * K]."""
    assignment_R = routes.expert_TK.flatten().sort(stable=True).indices
    row_A = torch.empty_like(assignment_R)
    row_A[assignment_R] = torch.arange(assignment_R.numel(), device=assignment_R.device)
    ones = torch.ones_like(routes.weight_TK)
    return Placing(row_A.view_as(routes.expert_TK), ones, assignment_R, ones.flatten())
