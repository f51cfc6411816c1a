"""The demo's model for 20 steps on one GPU and on the CPU: the same losses, and each one's step time.

Both train in fp32 from the same weights on the same data; matrix products on the GPU keep full fp32
(torch's default). Exits 1 if a loss differs by more than the tolerance.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from helpers import make_job, make_plan
from spawn import train_standalone

NUM_STEPS = 20
# Sums of another order, 20 updates long.
TOLERANCE = 1e-3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--reference-device",
        default="cpu",
        help="what the GPU is compared with (default cpu)",
    )
    parser.add_argument(
        "--device", default="cuda", help="what is checked (default cuda)"
    )
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print(
            f"torch {torch.__version__} sees no GPU; run this on a CUDA machine with a CUDA build of torch",
            file=sys.stderr,
        )
        return 4
    name = (
        torch.cuda.get_device_name() if arguments.device == "cuda" else arguments.device
    )
    print(f"torch {torch.__version__}, {name}")
    worst = 0.0
    for what, capacity_factor in (("dropless", 0.0), ("capacity factor 1.25", 1.25)):
        with tempfile.TemporaryDirectory() as folder:
            devices = (arguments.reference_device, arguments.device)
            reference, checked = (
                _train(Path(folder) / f"{n}", d, capacity_factor)
                for n, d in enumerate(devices)
            )
        difference = max(
            abs(a - b) / a for a, b in zip(reference, checked, strict=True)
        )
        worst = max(worst, difference)
        print(
            f"{what}: {NUM_STEPS} losses differ by at most {difference:.2e} relative (tolerance {TOLERANCE:.0e})"
        )
    return 0 if worst <= TOLERANCE else 1


def _train(folder: Path, device: str, capacity_factor: float) -> list[float]:
    job = make_job(
        folder.parent / "cache",
        steps=NUM_STEPS,
        capacity_factor=capacity_factor,
        device=device,
    )
    started = time.perf_counter()
    steps = train_standalone(folder, job, make_plan(job), alpha=0.1)
    log = (folder / "rank-0.jsonl").read_text()
    times = [
        float(part.split(",")[0].rstrip("}")) for part in log.split('"stepMs": ')[1:]
    ]
    print(
        f"  {device}: median step {statistics.median(times[5:]):.1f} ms, {time.perf_counter() - started:.0f} s in all"
    )
    return [sums.loss for _, sums in sorted(steps.items())]


if __name__ == "__main__":
    sys.exit(main())
