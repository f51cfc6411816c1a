"""``torchrun … torchrun_rank.py FUNCTION FOLDER``: one rank under torchrun."""

import os
import sys
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist
from train_rank import COLLECTIVE_TIMEOUT_MS, FUNCTIONS

from moestro_engine.rendezvous import environment_store


def main(function: str, folder: str) -> None:
    # On torch 2.13 the store is the launcher's and keeps the addresses of the attempt before: without a prefix
    # of its own a restarted attempt never connects.
    store = dist.PrefixStore(
        f"attempt-{os.environ['TORCHELASTIC_RESTART_COUNT']}", environment_store()
    )
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    timeout = timedelta(milliseconds=COLLECTIVE_TIMEOUT_MS)
    dist.init_process_group(
        "gloo", store=store, rank=rank, world_size=world_size, timeout=timeout
    )
    FUNCTIONS[function](Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
