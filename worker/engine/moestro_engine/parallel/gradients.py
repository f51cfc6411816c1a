"""All gradients of a rank in one flat buffer: zeroed, summed over the groups, measured and clipped in bulk."""

import torch
import torch.distributed as dist
from torch import nn

from moestro_engine.parallel.groups import Groups
from moestro_engine.parallel.placement import Kind, Placed

KINDS: tuple[Kind, ...] = ("tied", "replicated", "kv", "tensor", "expert")


class FlatGradients:
    """Each parameter's ``grad`` is a view of the buffer; parameters that need the same sums lie side by side."""

    def __init__(self, parameters: dict[str, nn.Parameter], placements: dict[str, Placed], groups: Groups) -> None:
        self._groups = groups
        ordered = sorted(parameters.items(), key=lambda item: KINDS.index(placements[item[0]].kind))
        first = ordered[0][1]
        self.flat = torch.zeros(sum(p.numel() for _, p in ordered), dtype=first.dtype, device=first.device)
        # Per kind: where it lies, and on how many ranks each of its values lies.
        self._spans: dict[Kind, tuple[int, int, int]] = {}
        end = 0
        for name, parameter in ordered:
            placed = placements[name]
            start, end = end, end + parameter.numel()
            parameter.grad = self.flat[start:end].view_as(parameter)
            kind_start = self._spans.get(placed.kind, (start, 0, 0))[0]
            self._spans[placed.kind] = (kind_start, end, placed.num_replicas)

    def zero(self) -> None:
        self.flat.zero_()

    def reduce(self) -> None:
        """Sum what ranks computed of the same parameter.

        Over tp: replicated parameters, of which each rank saw its slice of the sequence, in one
        collective. Over dp: everything, in one more. Expert gradients hold the tokens of the whole
        expert-parallel group already and need the data-parallel sum only.
        """
        shared = [self._span(kind) for kind in ("tied", "replicated")]
        # Both kinds lie side by side at the front of the buffer.
        self._sum(self.flat[: sum(part.numel() for part in shared)], self._groups.tp)
        self._sum(self._span("kv"), self._groups.kv)
        self._sum(self.flat, self._groups.dp)
        self._sum(self._span("tied"), self._groups.tied)

    def squared_norm_share(self) -> torch.Tensor:
        """This rank's part of the squared global norm, fp64: every value counts 1/replicas on each of its ranks."""
        total = torch.zeros((), dtype=torch.float64, device=self.flat.device)
        for start, end, num_replicas in self._spans.values():
            norm = torch.linalg.vector_norm(self.flat[start:end], dtype=torch.float64)
            total += norm.square() / num_replicas
        return total

    def clip(self, norm: float, max_norm: float) -> None:
        """Scale the global L2 norm down to ``max_norm`` if it is above; 0 turns this off."""
        if 0 < max_norm < norm:
            self.flat.mul_(max_norm / norm)

    def _span(self, kind: Kind) -> torch.Tensor:
        start, end, _ = self._spans.get(kind, (0, 0, 0))
        return self.flat[start:end]

    @staticmethod
    def _sum(part: torch.Tensor, group: dist.ProcessGroup | None) -> None:
        if group is not None and part.numel() > 0:
            dist.all_reduce(part, group=group)
