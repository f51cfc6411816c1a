"""What tests do to the steps of ranks: a fault at one, and a least time for each.

Python imports this when it starts, as the tests put this folder on the agents' PYTHONPATH. A file named after
a rank in MOESTRO_FAULT_DIRECTORY says which fault, and from which step on; it is taken away when it strikes.
With MOESTRO_LEAST_STEP_MS no step is over before that.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import time
from pathlib import Path

LOOP = "moestro_engine.training.loop"
FAULT_DIRECTORY = os.environ.get("MOESTRO_FAULT_DIRECTORY")
LEAST_STEP_MS = float(os.environ.get("MOESTRO_LEAST_STEP_MS", "0"))


class _AroundSteps(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Wraps the loop's step once the engine imports it."""

    def find_spec(self, name, path, target=None):
        if name != LOOP:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        self.loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        train_step = module.train_step

        def hooked(context, control, step, values):
            end = time.monotonic() + LEAST_STEP_MS / 1000
            if FAULT_DIRECTORY:
                _strike(context, step)
            report = train_step(context, control, step, values)
            time.sleep(max(0.0, end - time.monotonic()))
            return report

        module.train_step = hooked


def _strike(context, step):
    file = Path(FAULT_DIRECTORY, f"rank-{context.mesh.rank}")
    try:
        kind, first = file.read_text().split()
    except FileNotFoundError:
        return
    if step < int(first):
        return
    file.unlink()
    FAULTS[kind](context)


def _exception(context):
    raise RuntimeError("a bug in somebody's code")


def _exit(context):
    os._exit(0)


def _hold_gil(context):
    import ctypes
    import threading

    # A PyDLL, unlike a CDLL, keeps the lock while its function runs.
    threading.Thread(
        target=ctypes.PyDLL(None).sleep, args=(10**6,), daemon=True
    ).start()


def _not_a_number(context):
    next(context.chunks[0].model.parameters()).data.fill_(float("nan"))


def _out_of_memory(context):
    import resource

    import torch

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    held = []
    try:
        while True:
            held.append(torch.ones(4 << 20))
    finally:
        held.clear()


def _compute_slowly(context):
    for chunk in context.chunks:
        chunk.model.register_forward_pre_hook(lambda *_: time.sleep(0.1))


FAULTS = {
    "exception": _exception,
    "exit": _exit,
    "hold-gil": _hold_gil,
    "nan": _not_a_number,
    "out-of-memory": _out_of_memory,
    "slow": _compute_slowly,
}

if FAULT_DIRECTORY or LEAST_STEP_MS:
    sys.meta_path.insert(0, _AroundSteps())
