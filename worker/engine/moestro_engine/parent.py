"""A rank never outlives the agent that started it."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def prepare_signals() -> None:
    """Leave Ctrl-C to the agent, and let SIGTERM end the process at once.

    The default disposition is used for SIGTERM because a Python handler would wait for the
    running collective to return.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def die_with_parent() -> None:
    """Have the kernel send SIGKILL when the parent dies (Linux; elsewhere the closed socket ends the rank).

    A parent that died before this call is noticed right after: nobody answers on its socket.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
