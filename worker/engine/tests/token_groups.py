"""The reference of the parity matrix for dropping: one process that drops within groups of tokens.

A layout that spreads a sequence over ranks gives every rank's tokens a capacity of their own. One
process computes the same when it cuts each micro-batch into as many groups and places them one by one.
"""

from pathlib import Path

import torch

FILE = "token-groups"


def drop_by_group(run: Path) -> None:
    """Make this process's MoE layers drop within the number of groups that the run's folder names, or as they are made."""
    from moestro_engine.model import moe

    original = getattr(moe.MoeLayer, "whole_forward", moe.MoeLayer.forward)
    moe.MoeLayer.whole_forward = original
    file = run / FILE
    moe.MoeLayer.forward = _grouped(int(file.read_text())) if file.exists() else original


def _grouped(number: int):
    from moestro_engine.model.dispatch import combine, dispatch
    from moestro_engine.model.exchange import EvenExchange
    from moestro_engine.model.gate import Routes

    def forward(self, x_BSD, layer, balance):
        if balance is None:
            return self.whole_forward(x_BSD, layer, balance)
        assert x_BSD.shape[0] == 1, "groups are slices of one sequence"
        x_TD = x_BSD.flatten(0, 1)
        routes = self._route(x_TD, layer, balance)
        parts = []
        for x, *fields in zip(x_TD.chunk(number), *(field.chunk(number) for field in routes), strict=True):
            group = Routes(*fields)
            placing, counts_E = self._place_within_capacity(group)
            assert counts_E is None, "the reference pads"
            rows_RD = EvenExchange(dispatch(x, placing), self.group).run(self.experts)
            parts.append(combine(rows_RD, placing, group.weight_TK))
        return torch.cat(parts).view_as(x_BSD)

    return forward
