"""The demo's model for some steps on two devices: the same losses, and each one's step time.

Both train in fp32 from the same weights on the same data; matrix products on the GPU keep full fp32
(torch's default).
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from helpers import make_job, make_plan
from spawn import train_standalone

# Sums of another order, up to 20 updates long.
TOLERANCE = 1e-3


def compare(reference: str, checked: str, num_steps: int) -> list[dict[str, object]]:
    """One entry dropless and one with a capacity: the largest relative difference of a loss."""
    found = []
    for what, factor in (("dropless", 0.0), ("capacity 1.25", 1.25)):
        with tempfile.TemporaryDirectory() as folder:
            losses = [
                _train(Path(folder) / f"{number}", device, factor, num_steps)
                for number, device in enumerate((reference, checked))
            ]
        worst = max(abs(a - b) / a for a, b in zip(*losses, strict=True))
        entry = {"what": f"engine, {num_steps} steps against {reference}"}
        entry |= {"sizes": what, "dtype": "float32", "difference": worst}
        found.append(entry | {"tolerance": TOLERANCE, "passed": worst <= TOLERANCE})
    return found


def _train(folder: Path, device: str, factor: float, num_steps: int) -> list[float]:
    cache = folder.parent / "cache"
    job = make_job(cache, steps=num_steps, capacity_factor=factor, device=device)
    started = time.perf_counter()
    steps = train_standalone(folder, job, make_plan(job), alpha=0.1)
    log = (folder / "rank-0.jsonl").read_text()
    times = [
        float(part.split(",")[0].rstrip("}")) for part in log.split('"stepMs": ')[1:]
    ]
    print(
        f"  {device}: median step {statistics.median(times[5:] or times):.1f} ms, "
        f"{time.perf_counter() - started:.0f} s in all",
        file=sys.stderr,
    )
    return [sums.loss for _, sums in sorted(steps.items())]
