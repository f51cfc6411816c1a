"""The reference of the parity matrix for dropping: one process that drops within groups of tokens.

A layout that spreads a sequence over ranks gives every rank's tokens a capacity of their own. One
process computes the same when it cuts each micro-batch into as many groups and places them one by one.
"""

from pathlib import Path

import torch

FILE = "token-groups"


def drop_by_group(run: Path) -> None:
    """Make this process's MoE layers drop within the number of groups that the run's folder names, or as they are made."""
    from moestro_engine.model.balance import MicroBatchBalance
    from moestro_engine.model.moe import MoeLayer

    file = run / FILE
    replacements = {
        (MoeLayer, "forward"): lambda _: _grouped(int(file.read_text())),
        (MicroBatchBalance, "close"): _leaving_drops,
    }
    for (cls, name), replace in replacements.items():
        original = getattr(cls, f"whole_{name}", getattr(cls, name))
        setattr(cls, f"whole_{name}", original)
        setattr(cls, name, replace(original) if file.exists() else original)


def _leaving_drops(close):
    """The engine counts drops by the capacity of the whole micro-batch; the groups have counted their own."""

    def leaving_drops(self):
        own_LE = self._step.dropped_LE.clone()
        close(self)
        self._step.dropped_LE.copy_(own_LE)

    return leaving_drops


def _grouped(number: int):
    from moestro_engine.kernels.gate import count_experts
    from moestro_engine.model.dispatch import combine, dispatch
    from moestro_engine.model.exchange import EvenExchange
    from moestro_engine.model.gate import Routes

    def forward(self, x_BSD, layer, balance):
        if balance is None:
            return self.whole_forward(x_BSD, layer, balance)
        assert x_BSD.shape[0] == 1, "groups are slices of one sequence"
        x_TD = x_BSD.flatten(0, 1)
        routes = self._route(x_TD, layer, balance).routes
        parts = []
        for x, *fields in zip(x_TD.chunk(number), *(field.chunk(number) for field in routes), strict=True):
            group = Routes(*fields)
            placing, counts_E = self._place_within_capacity(group)
            assert counts_E is None, "the reference pads"
            rows_RD = EvenExchange(dispatch(x, placing), self.group).run(self.experts)
            parts.append(combine(rows_RD, placing, group.weight_TK))
            dropped = group.expert_TK[placing.valid_TK == 0]
            balance._step.dropped_LE[layer] += count_experts(dropped, self.config.num_experts)
        return torch.cat(parts).view_as(x_BSD)

    return forward
