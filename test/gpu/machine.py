"""The device that is measured: its name, clock, and the rates a roofline is drawn with."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

# Vendor figures by what the device's name contains: dense bf16 FLOP/s, memory bytes/s. First match counts.
VENDOR = (
    ("H200", 989e12, 4.8e12),
    ("H100 PCIe", 756e12, 2.0e12),
    ("H100 NVL", 835e12, 3.9e12),
    ("H100", 989e12, 3.35e12),
    ("H800", 989e12, 3.35e12),
    ("A100-SXM4-40GB", 312e12, 1.555e12),
    ("A100-PCIE-40GB", 312e12, 1.555e12),
    ("A100 80GB PCIe", 312e12, 1.935e12),
    ("A100", 312e12, 2.039e12),
    ("A800", 312e12, 2.039e12),
)


@dataclass(frozen=True)
class Machine:
    """Rates for the roofline: the vendor's where the device is known, otherwise what was measured here."""

    device: torch.device
    name: str
    peak_flops: float
    peak_bytes: float
    is_vendor: bool
    # A large bf16 matrix product and a large copy, read and write counted.
    measured_flops: float
    measured_bytes: float

    @staticmethod
    def here(dry_run: bool) -> "Machine":
        device = torch.device("cpu" if dry_run else "cuda")
        name = (
            "CPU (dry run, kernels interpreted)"
            if dry_run
            else torch.cuda.get_device_name()
        )
        width, elements = (128, 2**16) if dry_run else (8192, 2**30)
        a = torch.randn(width, width, device=device, dtype=torch.bfloat16)
        source = torch.empty(elements, device=device, dtype=torch.bfloat16)
        target = torch.empty_like(source)
        flops = 2 * width**3 / (1e-3 * median_ms(lambda: a @ a, device, 10))
        rate = (
            4 * elements / (1e-3 * median_ms(lambda: target.copy_(source), device, 10))
        )
        known = [(f, b) for part, f, b in VENDOR if part in name]
        peak_flops, peak_bytes = known[0] if known else (flops, rate)
        return Machine(device, name, peak_flops, peak_bytes, bool(known), flops, rate)

    def roofline_ms(self, flops: float, num_bytes: float) -> float:
        """The least time of so much arithmetic and so much traffic to memory."""
        return 1e3 * max(flops / self.peak_flops, num_bytes / self.peak_bytes)

    def describe(self) -> dict[str, object]:
        facts = asdict(self) | {"device": str(self.device), "torch": torch.__version__}
        if self.device.type == "cuda":
            facts["memory_bytes"] = torch.cuda.get_device_properties().total_memory
            facts["cuda"] = torch.version.cuda
        return facts

    def release(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def median_ms(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median time of ``work`` on the device, in ms, after as many runs to warm up."""
    for _ in range(repeats):
        work()
    if device.type == "cpu":
        return statistics.median(_host_ms(work) for _ in range(repeats))
    marks = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        marks.append((start, end))
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in marks)


def _host_ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - started)
