"""Selective recompute: outputs that are cheap to make again are not kept for the backward pass.

Inside ``dropping_cheap_outputs`` every tensor that an operation wants to keep is looked at: one that a
``cheap`` call made is replaced by the call, which is repeated when the backward pass asks for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.autograd.graph import saved_tensors_hooks


def cheap(function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> torch.Tensor:
    """``function(*inputs)``, marked as cheap: a pure function of its inputs and of weights, into memory of its own.

    Collectives may be among them: all ranks of a group repeat them at the same place.
    """
    out = function(*inputs)
    if _active:
        _active[-1].remember(out, function, inputs)
    return out


@contextmanager
def dropping_cheap_outputs() -> Iterator[None]:
    """Within, no consumer of a cheap output keeps it."""
    outputs = _CheapOutputs()
    _active.append(outputs)
    try:
        with saved_tensors_hooks(outputs.pack, _unpack):
            yield
    finally:
        _active.pop()
        # Every tensor that was kept holds the hook, and with it what this remembers.
        outputs.forget()


class _Recipe:
    """How to make an output again, from tensors or from what other recipes make; made once for all its consumers."""

    def __init__(self, function: Callable[..., torch.Tensor], packed_inputs: tuple) -> None:
        self._function = function
        self._packed_inputs = packed_inputs
        self._made: torch.Tensor | None = None
        self._num_due = 0

    def promise(self) -> None:
        self._num_due += 1

    def make(self) -> torch.Tensor:
        if self._made is None:
            with torch.no_grad():
                self._made = self._function(*map(_unpack, self._packed_inputs))
        made = self._made
        self._num_due -= 1
        if self._num_due <= 0:
            self._made = None
        return made


class _CheapOutputs:
    """Cheap outputs of one forward pass. They are held until it ends, so that no address is used twice."""

    def __init__(self) -> None:
        self._recipes: dict[tuple[int, int, torch.dtype], tuple[_Recipe, torch.Tensor]] = {}

    def remember(self, out: torch.Tensor, function, inputs) -> None:
        self._recipes[_identity(out)] = _Recipe(function, tuple(self.pack(part.detach()) for part in inputs)), out.detach()

    def forget(self) -> None:
        self._recipes.clear()

    def pack(self, tensor: torch.Tensor):
        # Products of matrices keep a flattened view, so the memory is compared and not the object.
        found = self._recipes.get(_identity(tensor)) if tensor.is_contiguous() else None
        if found is None:
            return tensor
        found[0].promise()
        return found[0], tensor.shape


def _identity(tensor: torch.Tensor) -> tuple[int, int, torch.dtype]:
    return tensor.data_ptr(), tensor.numel(), tensor.dtype


def _unpack(packed) -> torch.Tensor:
    if isinstance(packed, torch.Tensor):
        return packed
    recipe, shape = packed
    return recipe.make().view(shape)


_active: list[_CheapOutputs] = []
