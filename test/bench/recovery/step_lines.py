"""What a rank that another system than moestro started tells the measurement."""

import json
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from moestro_engine.link.file_link import FileLink


class StepLines(FileLink):
    """Says when this rank made which step in which attempt, at once: the process may be killed."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        path = folder / f"rank-{dist.get_rank()}.jsonl"
        told = path.read_text().splitlines() if path.exists() else []
        # The newest attempt that any rank has told of, and one.
        attempt = torch.tensor(
            1 + max((json.loads(line)["attempt"] for line in told), default=0)
        )
        dist.all_reduce(attempt, dist.ReduceOp.MAX)
        self.attempt = int(attempt)
        self._lines = path.open("a", buffering=1)
        self.tell(step=0)

    def send(self, **message) -> None:
        if "step" in message:
            self.tell(message["step"].step)

    def tell(self, step: int) -> None:
        line = {
            "attempt": self.attempt,
            "step": step,
            "pid": os.getpid(),
            "atMs": time.time() * 1000,
        }
        self._lines.write(json.dumps(line) + "\n")
