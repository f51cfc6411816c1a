"""Which form of a kernel a tensor gets: Triton on a CUDA device that has it, the plain reference elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal

import torch

Form = Literal["triton", "plain"]

# The kernels compute in fp32 inside: fp64 would lose its precision in them.
DTYPES = (torch.float32, torch.bfloat16, torch.float16)

HAS_TRITON = find_spec("triton") is not None
_forced: Form | None = None


def uses_triton(tensor: torch.Tensor) -> bool:
    """Whether the kernels that take this tensor run as Triton kernels."""
    if tensor.dtype not in DTYPES:
        return False
    if _forced is not None:
        return _forced == "triton"
    return tensor.is_cuda and HAS_TRITON


@contextmanager
def forced(form: Form) -> Iterator[None]:
    """Use one form whatever the device, to compare the two. Process-wide; a backward pass follows its forward pass."""
    global _forced
    before, _forced = _forced, form
    try:
        yield
    finally:
        _forced = before
