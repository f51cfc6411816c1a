"""All that a rank needs, imported in a process that ranks are forked from."""

import ctypes
import gc
import os
import sys

CUDA_ERROR_NOT_INITIALIZED = 3


def import_training() -> None:
    """Import what a rank uses up to its first step; nothing is begun: no port, no thread, no GPU context.

    Raises what an import raises.
    """
    import numpy.ctypeslib  # noqa: F401  what else is imported at the first step
    import torch

    import moestro_engine.rank
    import moestro_engine.rendezvous
    from moestro_engine.kernels.select import HAS_TRITON

    if torch.version.cuda is not None and HAS_TRITON:
        import moestro_engine.kernels.gate_triton
        import moestro_engine.kernels.permute_triton  # noqa: F401
    # What is here stays: collections in the forks would copy its pages.
    gc.collect()
    gc.freeze()


def why_nowhere_here() -> str:
    """Why no process of this system that has imported all may be forked; empty if it may."""
    return "" if sys.platform.startswith("linux") else "what torch uses of this system does not outlive a fork"


def why_not_now() -> str:
    """Why this process, in which all was imported, may not be forked; empty if it may."""
    import torch

    # A fork has one thread alone, and what others held locked stays so.
    others = len(os.listdir("/proc/self/task")) - 1
    if others > 0:
        return f"{others} threads were started while all was imported"
    if torch.version.hip is not None:
        return "whether a ROCm device was begun cannot be told"
    return "CUDA was begun while all was imported" if _has_begun_cuda() else ""


def _has_begun_cuda() -> bool:
    """Whether CUDA is initialized in this process: its forks could not use it."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return cuda.cuDeviceGetCount(ctypes.byref(ctypes.c_int())) != CUDA_ERROR_NOT_INITIALIZED
