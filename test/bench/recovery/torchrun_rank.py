"""``torchrun … torchrun_rank.py MODULE FOLDER``: one rank under torchrun runs the module's ``run``."""

import importlib
import os
import sys
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist
from moestro_engine.rendezvous import environment_store

TIMEOUT = timedelta(minutes=10)


def main(module: str, folder: str) -> None:
    # On torch 2.13 the store is the launcher's and keeps the addresses of the attempt before: without a prefix
    # of its own a restarted attempt never connects.
    store = dist.PrefixStore(
        f"attempt-{os.environ['TORCHELASTIC_RESTART_COUNT']}", environment_store()
    )
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group(
        "gloo", store=store, rank=rank, world_size=world_size, timeout=TIMEOUT
    )
    importlib.import_module(module).run(Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
