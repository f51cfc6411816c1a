"""A copy of training state in host memory, so that training goes on while it is written."""

from collections.abc import Iterable
from dataclasses import replace

import torch

from moestro_engine.checkpoint.state import Slice


class Snapshot:
    """Host buffers that are taken once and filled again at every checkpoint; pinned where the state is on a GPU."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, tuple[int, ...]], torch.Tensor] = {}
        self._copied: torch.cuda.Event | None = None

    def take(self, slices: Iterable[Slice]) -> list[Slice]:
        """The slices this rank writes, copied; the ones before are overwritten.

        On a GPU the copies are only queued, before whatever changes the state next: ``ready`` awaits them.
        """
        written = [part for part in slices if part.writes]
        copies = [replace(part, tensor=self._buffer(part)) for part in written]
        if not copies:
            return copies
        torch._foreach_copy_([copy.tensor for copy in copies], [part.tensor for part in written], non_blocking=True)
        if written[0].tensor.is_cuda:
            self._copied = torch.cuda.Event()
            self._copied.record()
        return copies

    def ready(self) -> None:
        """Return once the copies hold what they are to hold; from any thread."""
        if self._copied is not None:
            self._copied.synchronize()

    def _buffer(self, part: Slice) -> torch.Tensor:
        place, like = (part.name, part.offsets), part.tensor
        if (kept := self._buffers.get(place)) is None or (kept.shape, kept.dtype) != (like.shape, like.dtype):
            self._buffers[place] = torch.empty(like.shape, dtype=like.dtype, pin_memory=like.is_cuda)
        return self._buffers[place]
