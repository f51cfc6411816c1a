"""What the controller sets, and which of it applies in which step."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from moestro.v1 import job_pb2, rank_pb2
from moestro_engine.model.balance import StepBalance


@dataclass(frozen=True, eq=False)
class ControlValues:
    """Auxiliary-loss coefficients and selection biases of the whole model, the same on every rank."""

    # alpha by layer.
    coefficients: tuple[float, ...]
    # Added to the probabilities in the choice of the top-k: fp64 on the host, [L, E], or [L, 0] without them.
    bias_LE: torch.Tensor

    def flat(self) -> torch.Tensor:
        """fp64 [L + L * E], to travel in one collective."""
        return torch.cat([torch.tensor(self.coefficients, dtype=torch.float64), self.bias_LE.flatten()])

    @classmethod
    def zero(cls, job: job_pb2.EngineJob) -> "ControlValues":
        """No auxiliary loss and no bias."""
        num_layers, num_biases = job.model.num_layers, job.moe.num_experts if job.moe.selection_bias else 0
        return cls((0.0,) * num_layers, torch.zeros(num_layers, num_biases, dtype=torch.float64))

    @classmethod
    def of_flat(cls, values: torch.Tensor, num_layers: int) -> "ControlValues":
        values = values.cpu()
        return cls(tuple(values[:num_layers].tolist()), values[num_layers:].reshape(num_layers, -1))

    def apply(self, balance: StepBalance, first_layer: int) -> None:
        """Set the coefficients and biases of a stage's gates for the step that begins."""
        layers = slice(first_layer, first_layer + balance.num_layers)
        balance.coefficient_L.copy_(torch.tensor(self.coefficients[layers]))
        if balance.bias_LE is not None:
            balance.bias_LE.copy_(self.bias_LE[layers])


class CoefficientBook:
    """Keeps what the controller sent; the newest entry with effective step <= s applies in step s.

    ``zero`` applies until the first of them does, and has their shape.
    """

    def __init__(self, zero: ControlValues, initial: Iterable[rank_pb2.Coefficients]) -> None:
        self.zero = zero
        self._current: tuple[int, ControlValues] = (0, zero)
        self._pending: dict[int, ControlValues] = {}
        self.num_late = 0
        for coefficients in initial:
            self._keep(coefficients)

    def offer(self, coefficients: rank_pb2.Coefficients, current_step: int) -> None:
        """Take values that arrived during ``current_step``; if they were for it or before it, they are late.

        A coordinator that is back, or new, sends those again that it cannot know to have come.
        """
        if self.has(coefficients.effective_step):
            return
        if coefficients.effective_step <= current_step:
            self.num_late += 1
        self._keep(coefficients)

    def has(self, step: int) -> bool:
        """Whether values that take effect at exactly this step are here."""
        return step in self._pending or self._current[0] == step

    def values(self, step: int) -> ControlValues:
        """The values of a step; steps are asked for in order."""
        due = [effective for effective in self._pending if effective <= step]
        for effective in sorted(due):
            values = self._pending.pop(effective)
            # A late value older than what applies already says nothing new.
            if effective >= self._current[0]:
                self._current = (effective, values)
        return self._current[1]

    def _keep(self, coefficients: rank_pb2.Coefficients) -> None:
        num_layers, num_biases = self.zero.bias_LE.shape
        if len(coefficients.values) != num_layers:
            raise ValueError(f"got {len(coefficients.values)} coefficients for {num_layers} layers")
        bias_LE = self.zero.bias_LE
        if coefficients.biases:
            sizes = [len(bias.values) for bias in coefficients.biases]
            if sizes != [num_biases] * num_layers:
                raise ValueError(f"got biases of {sizes} experts for {num_layers} layers of {num_biases}")
            bias_LE = torch.tensor([list(bias.values) for bias in coefficients.biases], dtype=torch.float64)
        self._pending[coefficients.effective_step] = ControlValues(tuple(coefficients.values), bias_LE)
