"""All that a rank needs, imported in a process that ranks are forked from."""

import ctypes
import gc
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

    if torch.version.cuda is not None:
        import moestro_engine.kernels.gate_triton
        import moestro_engine.kernels.permute_triton  # noqa: F401
    # What is here stays: collections in the forks would copy its pages.
    gc.collect()
    gc.freeze()


def forks_work() -> bool:
    """Whether a process that has imported may be forked, by its system: Apple's frameworks do not outlive it."""
    return sys.platform.startswith("linux")


def has_begun_cuda() -> bool:
    """Whether something has initialized CUDA in this process, whose forks could not use it then."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return cuda.cuDeviceGetCount(ctypes.byref(ctypes.c_int())) != CUDA_ERROR_NOT_INITIALIZED
