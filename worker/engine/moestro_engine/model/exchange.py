"""Rows to the rank that holds their expert and back: the all-to-all of expert parallelism.

Expert e lies on rank e // (E / group size) of the group, so rows ordered by expert are already
ordered by their destination.
"""

import torch

from moestro_engine.model.experts import Experts
from moestro_engine.parallel.collectives import AnyGroup


def exchange_even(rows_RD: torch.Tensor, experts: Experts, group: AnyGroup) -> torch.Tensor:
    """Run the experts on padded rows [E * C, D] in which every expert has C places."""
    num_local = experts.w1.shape[0]
    capacity = rows_RD.shape[0] // (num_local * group.size)
    received = group.all_to_all(rows_RD).view(group.size, num_local, capacity, -1)
    out_LRD = experts.even(received.transpose(0, 1).reshape(num_local, group.size * capacity, -1))
    back = out_LRD.view(num_local, group.size, capacity, -1).transpose(0, 1)
    return group.all_to_all(back.reshape(rows_RD.shape))


def exchange_ragged(rows_RD: torch.Tensor, counts_E: torch.Tensor, experts: Experts, group: AnyGroup) -> torch.Tensor:
    """Run the experts on rows [R, D] ordered by expert, ``counts_E`` of them for each.

    With several ranks the counts are read on the host, which a GPU has to wait for; training with a
    capacity avoids that.
    """
    num_local = experts.w1.shape[0]
    if group.size == 1:
        return experts.ragged(rows_RD, counts_E)
    # arriving[r][l]: rows that rank r sends to the local expert l.
    arriving_GL = group.exchange_counts(counts_E).view(group.size, num_local)
    in_splits = counts_E.view(group.size, num_local).sum(1).tolist()
    out_splits = arriving_GL.sum(1).tolist()
    received_RD = group.all_to_all(rows_RD, out_splits, in_splits)
    by_expert, by_source = _regroup(arriving_GL)
    out_RD = experts.ragged(received_RD[by_expert], arriving_GL.sum(0).tolist())
    return group.all_to_all(out_RD[by_source], in_splits, out_splits)


def _regroup(arriving_GL: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Permutations from rows ordered by (source, expert) to (expert, source) and back."""
    num_sources, num_local = arriving_GL.shape
    expert_of_block = torch.arange(num_local, device=arriving_GL.device).repeat(num_sources)
    expert_R = expert_of_block.repeat_interleave(arriving_GL.flatten())
    by_expert = expert_R.sort(stable=True).indices
    by_source = torch.empty_like(by_expert)
    by_source[by_expert] = torch.arange(by_expert.numel(), device=by_expert.device)
    return by_expert, by_source
