"""The Mixture-of-Experts layer: gate → place → dispatch → experts → combine, beside the shared experts."""

import torch
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import Routes, Routing
from moestro_engine.model.balance import MicroBatchBalance
from moestro_engine.model.capacity import Placing, expert_capacity, place_all, place_with_capacity, without_padding
from moestro_engine.model.dispatch import combine, dispatch
from moestro_engine.model.exchange import EvenExchange, ExpertGroups, RaggedExchange
from moestro_engine.model.experts import Experts
from moestro_engine.model.feed_forward import FeedForward
from moestro_engine.model.gate import Gate


class MoeLayer(nn.Module):
    """Top-k of n experts for every token. In training with a capacity factor tokens over capacity are dropped.

    ``shared`` holds the experts that every token goes to, as one feed-forward network (DeepSeekMoE);
    ``shared_gate`` weights its output by one sigmoid a token (Qwen2-MoE). Both may be absent.
    """

    def __init__(self, model: job_pb2.ModelConfig, moe: job_pb2.MoeConfig) -> None:
        super().__init__()
        self.config = moe
        self.gate = Gate(model.hidden_size, moe)
        self.experts = Experts(moe.num_experts, model.hidden_size, model.ffn_hidden_size)
        has_shared, has_gate = model.shared_ffn_hidden_size > 0, model.shared_expert_gate
        self.shared = FeedForward(model.hidden_size, model.shared_ffn_hidden_size) if has_shared else None
        self.shared_gate = nn.Linear(model.hidden_size, 1, bias=False) if has_shared and has_gate else None
        self.group = ExpertGroups()

    def forward(self, x_BSD: torch.Tensor, layer: int, balance: MicroBatchBalance | None) -> torch.Tensor:
        """``balance`` collects what the gate did; without it (evaluation) nothing is counted or dropped."""
        x_TD = x_BSD.flatten(0, 1)
        routing = self._route(x_TD, layer, balance)
        routes = routing.routes
        drops = balance is not None and self.config.capacity_factor > 0
        placing, counts_E = self._place_within_capacity(routes) if drops else (place_all(routes), routing.counts_E)
        rows_RD = dispatch(x_TD, placing)
        # Before the rows: on a GPU messages of one group pass one after the other.
        gathered_BSD = None if self.shared is None else self.shared.gather(x_BSD)
        exchange = EvenExchange(rows_RD, self.group) if counts_E is None else RaggedExchange(rows_RD, counts_E, self.group)
        # Needs nothing of other ranks' experts, so it runs while rows are under way.
        shared_BSD = self._shared(x_BSD, gathered_BSD)
        rows_RD = exchange.run(self.experts)
        routed_BSD = combine(rows_RD, placing, routes.weight_TK).view_as(x_BSD)
        return routed_BSD if shared_BSD is None else routed_BSD + shared_BSD

    def _route(self, x_TD: torch.Tensor, layer: int, balance: MicroBatchBalance | None) -> Routing:
        logits_TE = self.gate(x_TD)
        if balance is None:
            return self.gate.route(logits_TE)
        if self.config.z_loss_coefficient > 0:
            logits_TE = balance.watch_logits(layer, logits_TE)
        return balance.watch(layer, self.gate.route(logits_TE))

    def _place_within_capacity(self, routes: Routes) -> tuple[Placing, torch.Tensor | None]:
        """Rows by expert; counts where experts have different numbers of them."""
        config = self.config
        capacity = expert_capacity(routes.expert_TK.shape[0], config)
        by_position = config.drop_policy == job_pb2.DROP_POLICY_POSITION
        placing = place_with_capacity(routes, config.num_experts, capacity, by_position)
        return without_padding(placing, config.num_experts) if config.without_padding else (placing, None)

    def _shared(self, x_BSD: torch.Tensor, gathered_BSD: torch.Tensor | None) -> torch.Tensor | None:
        if self.shared is None:
            return None
        out_BSD = self.shared.transform(gathered_BSD)
        return out_BSD if self.shared_gate is None else torch.sigmoid(self.shared_gate(x_BSD)) * out_BSD
