"""What the layers' gates did in a micro-batch, and the auxiliary losses that follow from it."""

import torch

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import MIN_SUM, Routing
from moestro_engine.model.aux_loss import InjectAuxGradient, InjectZGradient, aux_loss, aux_loss_gradient, router_z_loss
from moestro_engine.model.capacity import expert_capacity
from moestro_engine.parallel.collectives import AnyGroup, LocalGroup


class StepBalance:
    """Sums over the micro-batches of one step, for the layers of one stage; read once a step.

    ``coefficient_L`` holds alpha per layer, ``bias_LE`` what the top-k adds to the probabilities (None
    without moe.selection_bias); ``loss_scale`` is 1 / micro-batches of the whole step, so that the
    injected losses are means over micro-batches, like the cross entropy's mean over tokens. A dense layer
    reports nothing: its rows stay zero.
    """

    def __init__(self, num_layers: int, moe: job_pb2.MoeConfig, loss_scale: float, device: torch.device) -> None:
        self.moe = moe
        self.loss_scale = loss_scale
        self.num_layers = num_layers
        self.group: AnyGroup = LocalGroup()
        self.coefficient_L = torch.zeros(num_layers, device=device)
        self.bias_LE = torch.zeros(num_layers, moe.num_experts, device=device) if moe.selection_bias else None
        self.routed_LE = torch.zeros(num_layers, moe.num_experts, dtype=torch.float64, device=device)
        self.dropped_LE = torch.zeros_like(self.routed_LE)
        self.loss_L = torch.zeros(num_layers, dtype=torch.float64, device=device)
        self.z_loss_L = torch.zeros_like(self.loss_L)
        # Whether this very rank's gates of a layer were anything but finite, in any micro-batch.
        self.has_bad_gates_L = torch.zeros(num_layers, dtype=torch.bool, device=device)
        self.num_micro_batches = 0

    def reset(self) -> None:
        for total in (self.routed_LE, self.dropped_LE, self.loss_L, self.z_loss_L, self.has_bad_gates_L):
            total.zero_()
        self.num_micro_batches = 0

    def bias_of(self, layer: int) -> torch.Tensor | None:
        """The biases of a layer (index within the stage), fp32 [E], which keep up with every step's."""
        return None if self.bias_LE is None else self.bias_LE[layer]

    def open(self, num_tokens: int) -> "MicroBatchBalance":
        return MicroBatchBalance(self, num_tokens)


class MicroBatchBalance:
    """Gate sums and assignment counts of one micro-batch, [layers, 2, E], reduced in one collective.

    A recomputed forward pass comes after ``close`` and counts nothing.
    """

    def __init__(self, step: StepBalance, num_tokens: int) -> None:
        self._step = step
        self._num_tokens = num_tokens
        self.sums_L2E = step.coefficient_L.new_zeros(step.num_layers, 2, step.moe.num_experts)
        self._pending = None
        self._closed = False
        self._gradient_LE: torch.Tensor | None = None

    def watch_logits(self, layer: int, logits_TE: torch.Tensor) -> torch.Tensor:
        """The raw logits of a layer (index within the stage), set up to receive the z-loss's gradient."""
        step = self._step
        if not self._closed:
            step.z_loss_L[layer] += router_z_loss(logits_TE.detach()).double()
        scale = step.moe.z_loss_coefficient * step.loss_scale / (self._num_tokens * step.group.size)
        return InjectZGradient.apply(logits_TE, scale)

    def watch(self, layer: int, routing: Routing) -> Routing:
        """Adds up a layer's gates and counts, and sets the gates up to receive the auxiliary gradient.

        Sigmoids are divided by their sum over the experts first (DeepSeek-V3, equation 19).
        """
        shares = self._step.moe.gate_function == job_pb2.GATE_FUNCTION_SIGMOID
        if not self._closed:
            share_TE = routing.gate_TE.detach()
            if shares:
                share_TE = share_TE / share_TE.sum(-1, keepdim=True).clamp_min(MIN_SUM)
            self.sums_L2E[layer, 0] = share_TE.sum(0)
            self.sums_L2E[layer, 1] = routing.counts_E
        weight_TK = InjectAuxGradient.apply(routing.weight_TK, routing.gate_TE, lambda: self.gradient()[layer], shares)
        return routing._replace(weight_TK=weight_TK)

    def close(self) -> None:
        """The stage's forward pass is over: add up the local counts and start the sum over the group."""
        step = self._step
        routed_LE = self.sums_L2E[:, 1].double()
        step.routed_LE += routed_LE
        if step.moe.capacity_factor > 0:
            step.dropped_LE += (routed_LE - expert_capacity(self._num_tokens, step.moe)).clamp_min(0)
        step.num_micro_batches += 1
        # Before the group's sum, in which one rank's NaN becomes everybody's.
        step.has_bad_gates_L |= ~self.sums_L2E[:, 0].isfinite().all(-1)
        self._pending = step.group.sum_later(self.sums_L2E)
        self._closed = True

    def gradient(self) -> torch.Tensor:
        """What to add to every token's gate gradient, [layers, E]; waits for the group's sum at first use."""
        if self._gradient_LE is None:
            step = self._step
            if self._pending is not None:
                self._pending.wait()
            num_tokens = self._num_tokens * step.group.size
            mean_LE = self.sums_L2E[:, 0] / num_tokens
            load_LE = self.sums_L2E[:, 1] / (num_tokens * step.moe.top_k)
            # A dense layer has no load and no loss, though uniform gates are far from its zeros.
            has_experts_L = load_LE.sum(-1) > 0
            step.loss_L += (aux_loss(step.moe.aux_loss_form, mean_LE, load_LE) * has_experts_L).double()
            scale_L1 = step.coefficient_L[:, None] * (step.loss_scale / num_tokens)
            self._gradient_LE = aux_loss_gradient(step.moe.aux_loss_form, mean_LE, load_LE) * scale_L1
        return self._gradient_LE
