"""Rows to the ranks that hold their expert and back: expert parallelism, and the sharing of an expert's columns.

Expert e lies on rank e // (E / ep) of the expert-parallel group, so rows ordered by expert are already
ordered by their destination. Where experts are cut into columns (etp), the ranks that hold parts of the
same experts show each other the rows that arrived and add up what their parts make of them.
"""

from dataclasses import dataclass, field

import torch

from moestro_engine.model.experts import Experts
from moestro_engine.parallel.collectives import AnyGroup, LocalGroup


@dataclass(frozen=True)
class ExpertGroups:
    """Ranks over which a layer's experts lie (ep), and those that share each expert's columns (etp)."""

    ep: AnyGroup = field(default_factory=LocalGroup)
    etp: AnyGroup = field(default_factory=LocalGroup)


class EvenExchange:
    """Padded rows [E * C, D] in which every expert has C places."""

    def __init__(self, rows_RD: torch.Tensor, groups: ExpertGroups) -> None:
        """The rows leave; between this and ``run`` there is time for work that needs no other rank's experts."""
        self._groups = groups
        self._num_rows = rows_RD.shape[0]
        self._arriving = groups.ep.start_all_to_all(rows_RD)

    def run(self, experts: Experts) -> torch.Tensor:
        """What the experts make of the rows, [E * C, D]."""
        num_local, ep, etp = experts.num_local, self._groups.ep, self._groups.etp
        capacity = self._num_rows // (num_local * ep.size)
        num_sources = etp.size * ep.size
        arrived_RD = etp.gather_sequence(self._arriving.wait()[None])[0]
        by_source = arrived_RD.view(num_sources, num_local, capacity, -1)
        out_LRD = experts.even(by_source.transpose(0, 1).reshape(num_local, num_sources * capacity, -1))
        back = out_LRD.view(num_local, num_sources, capacity, -1).transpose(0, 1)
        return ep.all_to_all(etp.scatter_sequence(back.reshape(1, etp.size * self._num_rows, -1))[0])


class RaggedExchange:
    """Rows [R, D] ordered by expert, ``counts_E`` of them for each.

    With several ranks the counts are read on the host, which a GPU has to wait for; training with padded
    places avoids that.
    """

    def __init__(self, rows_RD: torch.Tensor, counts_E: torch.Tensor, groups: ExpertGroups) -> None:
        """The rows leave, as above."""
        ep, etp = groups.ep, groups.etp
        self._groups = groups
        if ep.size == etp.size == 1:
            self._arriving, self._arriving_SL = ep.start_all_to_all(rows_RD), counts_E[None]
            return
        # arriving[s][l]: rows of source s for the local expert l; sources are ordered by etp rank, then by ep rank.
        self._arriving_SL = etp.gather_counts(ep.exchange_counts(counts_E)).view(etp.size * ep.size, -1)
        self._in_splits = counts_E.view(ep.size, -1).sum(1).tolist()
        from_source = self._arriving_SL.sum(1).view(etp.size, ep.size)
        self._out_splits, self._from_etp = from_source[etp.rank].tolist(), from_source.sum(1).tolist()
        self._arriving = ep.start_all_to_all(rows_RD, self._out_splits, self._in_splits)

    def run(self, experts: Experts) -> torch.Tensor:
        """What the experts make of the rows, [R, D]."""
        ep, etp = self._groups.ep, self._groups.etp
        arrived_RD = self._arriving.wait()
        if ep.size == etp.size == 1:
            return experts.ragged(arrived_RD, self._arriving_SL[0])
        by_expert, by_source = _regroup(self._arriving_SL)
        out_RD = experts.ragged(etp.gather_rows(arrived_RD, self._from_etp)[by_expert], self._arriving_SL.sum(0))
        return ep.all_to_all(etp.scatter_rows(out_RD[by_source], self._from_etp), self._in_splits, self._out_splits)


def _regroup(arriving_SL: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Permutations from rows ordered by (source, expert) to (expert, source) and back."""
    num_sources, num_local = arriving_SL.shape
    expert_of_block = torch.arange(num_local, device=arriving_SL.device).repeat(num_sources)
    expert_R = expert_of_block.repeat_interleave(arriving_SL.flatten())
    by_expert = expert_R.sort(stable=True).indices
    by_source = torch.empty_like(by_expert)
    by_source[by_expert] = torch.arange(by_expert.numel(), device=by_expert.device)
    return by_expert, by_source
