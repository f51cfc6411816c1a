"""The Mixture-of-Experts layer: gate → place → dispatch → experts → combine."""

import torch
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import count_experts
from moestro_engine.model.balance import MicroBatchBalance
from moestro_engine.model.capacity import expert_capacity, place_all, place_with_capacity
from moestro_engine.model.dispatch import combine, dispatch
from moestro_engine.model.exchange import exchange_even, exchange_ragged
from moestro_engine.model.experts import Experts
from moestro_engine.model.gate import Gate, choose_experts
from moestro_engine.parallel.collectives import AnyGroup, LocalGroup


class MoeLayer(nn.Module):
    """Top-k of n experts for every token. In training with a capacity factor tokens over capacity are dropped."""

    def __init__(self, model: job_pb2.ModelConfig, moe: job_pb2.MoeConfig) -> None:
        super().__init__()
        self.config = moe
        self.gate = Gate(model.hidden_size, moe)
        self.experts = Experts(moe.num_experts, model.hidden_size, model.ffn_hidden_size)
        self.group: AnyGroup = LocalGroup()

    def forward(self, x_BSD: torch.Tensor, layer: int, balance: MicroBatchBalance | None) -> torch.Tensor:
        """``balance`` collects what the gate did; without it (evaluation) nothing is counted or dropped."""
        x_TD = x_BSD.flatten(0, 1)
        gate_TE = self.gate(x_TD)
        if balance is not None:
            gate_TE = balance.watch(layer, gate_TE)
        routes = choose_experts(gate_TE, self.config.top_k)
        if balance is not None:
            balance.count(layer, routes.expert_TK)
        if balance is not None and self.config.capacity_factor > 0:
            capacity = expert_capacity(x_TD.shape[0], self.config)
            placing = place_with_capacity(routes, self.config.num_experts, capacity)
            rows_RD = exchange_even(dispatch(x_TD, placing), self.experts, self.group)
        else:
            placing = place_all(routes)
            counts_E = count_experts(routes.expert_TK, self.config.num_experts)
            rows_RD = exchange_ragged(dispatch(x_TD, placing), counts_E, self.experts, self.group)
        return combine(rows_RD, placing, routes.weight_TK).view_as(x_BSD)
