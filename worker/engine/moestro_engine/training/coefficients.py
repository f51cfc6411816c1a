"""Which auxiliary-loss coefficients apply in which step."""

from collections.abc import Iterable

from moestro.v1 import rank_pb2


class CoefficientBook:
    """Keeps what the controller sent; the newest entry with effective step <= s applies in step s."""

    def __init__(self, num_layers: int, initial: Iterable[rank_pb2.Coefficients]) -> None:
        self._num_layers = num_layers
        self._current: tuple[int, tuple[float, ...]] = (0, (0.0,) * num_layers)
        self._pending: dict[int, tuple[float, ...]] = {}
        self.num_late = 0
        for coefficients in initial:
            self._keep(coefficients)

    def offer(self, coefficients: rank_pb2.Coefficients, current_step: int) -> None:
        """Take values that arrived during ``current_step``; if they were for it or before it, they are late."""
        if coefficients.effective_step <= current_step:
            self.num_late += 1
        self._keep(coefficients)

    def has(self, step: int) -> bool:
        """Whether values that take effect at exactly this step are here."""
        return step in self._pending or self._current[0] == step

    def values(self, step: int) -> tuple[float, ...]:
        """The values of a step, by layer; steps are asked for in order."""
        due = [effective for effective in self._pending if effective <= step]
        for effective in sorted(due):
            values = self._pending.pop(effective)
            # A late value older than what applies already says nothing new.
            if effective >= self._current[0]:
                self._current = (effective, values)
        return self._current[1]

    def _keep(self, coefficients: rank_pb2.Coefficients) -> None:
        if len(coefficients.values) != self._num_layers:
            raise ValueError(f"got {len(coefficients.values)} coefficients for {self._num_layers} layers")
        self._pending[coefficients.effective_step] = tuple(coefficients.values)
