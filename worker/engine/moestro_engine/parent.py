"""A rank never outlives the process that started it, nor that one the agent; and it tells where it stands when asked."""

import ctypes
import faulthandler
import signal
import sys

PR_SET_PDEATHSIG = 1


def prepare_signals() -> None:
    """Leave Ctrl-C to the agent, let SIGTERM end the process at once, and on SIGUSR1 write all stacks to the log.

    The default disposition is used for SIGTERM because a Python handler would wait for the
    running collective to return. The stacks come from a handler in C, which needs no GIL.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    faulthandler.register(signal.SIGUSR1, all_threads=True)


def die_with_parent() -> None:
    """Have the kernel send SIGKILL when the parent dies (Linux; elsewhere the closed socket ends the rank).

    A parent that died before this call goes unnoticed here; the agent turns away whom it gave up.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
