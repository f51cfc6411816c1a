"""An interpreter that stands by: all is imported, nothing is begun, so that a restart does not pay for imports."""

import os
import sys
import threading

# Of the thread that imports alone: a process may not take its niceness back.
IMPORT_NICENESS = 10


def import_training() -> None:
    """Import all that a rank needs, yielding the processor to ranks that train meanwhile.

    Holds no port, no GPU context and, once done, no thread. Raises what an import raises.
    """
    failures: list[BaseException] = []
    importing = threading.Thread(target=_import_all, args=(failures,))
    importing.start()
    importing.join()
    if failures:
        raise failures[0]


def _import_all(failures: list[BaseException]) -> None:
    if sys.platform.startswith("linux"):
        # There niceness belongs to the thread, not to the process.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), IMPORT_NICENESS)
    try:
        import numpy.ctypeslib  # noqa: F401  what else is imported at the first step
        import torch

        import moestro_engine.rank
        import moestro_engine.rendezvous

        if torch.version.cuda is not None:
            import moestro_engine.kernels.gate_triton
            import moestro_engine.kernels.permute_triton  # noqa: F401
    except BaseException as error:
        failures.append(error)
