"""What the layers' gates did in a micro-batch, and the auxiliary loss that follows from it."""

import torch

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import count_experts
from moestro_engine.model.aux_loss import InjectAuxGradient, aux_loss, aux_loss_gradient
from moestro_engine.model.capacity import expert_capacity
from moestro_engine.parallel.collectives import AnyGroup, LocalGroup


class StepBalance:
    """Sums over the micro-batches of one step, for the layers of one stage; read once a step.

    ``coefficient_L`` holds alpha per layer; ``loss_scale`` is 1 / micro-batches of the whole step, so
    that the injected loss is the mean over micro-batches, like the cross entropy's mean over tokens.
    """

    def __init__(self, num_layers: int, moe: job_pb2.MoeConfig, loss_scale: float, device: torch.device) -> None:
        self.moe = moe
        self.loss_scale = loss_scale
        self.num_layers = num_layers
        self.group: AnyGroup = LocalGroup()
        self.coefficient_L = torch.zeros(num_layers, device=device)
        self.routed_LE = torch.zeros(num_layers, moe.num_experts, dtype=torch.float64, device=device)
        self.dropped_LE = torch.zeros_like(self.routed_LE)
        self.loss_L = torch.zeros(num_layers, dtype=torch.float64, device=device)
        self.num_micro_batches = 0
        self.latest: MicroBatchBalance | None = None

    def reset(self) -> None:
        for total in (self.routed_LE, self.dropped_LE, self.loss_L):
            total.zero_()
        self.num_micro_batches = 0

    def open(self, num_tokens: int) -> "MicroBatchBalance":
        self.latest = MicroBatchBalance(self, num_tokens)
        return self.latest


class MicroBatchBalance:
    """Gate sums and assignment counts of one micro-batch, [layers, 2, E], reduced in one collective."""

    def __init__(self, step: StepBalance, num_tokens: int) -> None:
        self._step = step
        self._num_tokens = num_tokens
        self.sums_L2E = step.coefficient_L.new_zeros(step.num_layers, 2, step.moe.num_experts)
        self._pending = None
        self._closed = False
        self._gradient_LE: torch.Tensor | None = None

    def watch(self, layer: int, gate_TE: torch.Tensor) -> torch.Tensor:
        """The gates of a layer (index within the stage), set up to receive the auxiliary gradient."""
        if not self._closed:
            self.sums_L2E[layer, 0] = gate_TE.detach().sum(0)
        return InjectAuxGradient.apply(gate_TE, lambda: self.gradient()[layer])

    def count(self, layer: int, expert_TK: torch.Tensor) -> None:
        """Count the assignments of a layer. A recomputed forward pass comes after close and counts nothing."""
        if not self._closed:
            self.sums_L2E[layer, 1] = count_experts(expert_TK, self._step.moe.num_experts)

    def close(self) -> None:
        """The stage's forward pass is over: add up the local counts and start the sum over the group."""
        step = self._step
        routed_LE = self.sums_L2E[:, 1].double()
        step.routed_LE += routed_LE
        if step.moe.capacity_factor > 0:
            step.dropped_LE += (routed_LE - expert_capacity(self._num_tokens, step.moe)).clamp_min(0)
        step.num_micro_batches += 1
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
            step.loss_L += aux_loss(step.moe.aux_loss_form, mean_LE, load_LE).double()
            scale_L1 = step.coefficient_L[:, None] * (step.loss_scale / num_tokens)
            self._gradient_LE = aux_loss_gradient(step.moe.aux_loss_form, mean_LE, load_LE) * scale_L1
        return self._gradient_LE
