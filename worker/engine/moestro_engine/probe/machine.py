"""What one rank's processor and memory do while all ranks work."""

import os
import statistics
import time

import torch
import torch.distributed as dist

MATRIX = 512
COPY_BYTES = 32 * 1024 * 1024
NUM_ROUNDS = 10


def matrix_flops(device: torch.device, alone: bool) -> float:
    """FLOP/s of an fp32 matrix product on this rank; ``alone`` leaves only rank 0 at work. 0 on the idle ranks."""
    rate = 0.0
    dist.barrier()
    if not alone or dist.get_rank() == 0:
        left = torch.randn(MATRIX, MATRIX, device=device)
        rate = 2 * MATRIX**3 / _median(lambda: left @ left, device)
    dist.barrier()
    return rate


def memory_bandwidth(device: torch.device) -> float:
    """Bytes a second read and written by a copy, on every rank at once."""
    source = torch.zeros(COPY_BYTES // 4, device=device)
    target = torch.empty_like(source)
    dist.barrier()
    return 2 * COPY_BYTES / _median(lambda: target.copy_(source), device)


def memory_bytes(device: torch.device) -> int:
    """A GPU's memory, or this rank's share of the machine's."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // dist.get_world_size()


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU rank"


def _median(operation, device: torch.device) -> float:
    times = []
    for _ in range(NUM_ROUNDS):
        started = time.perf_counter()
        operation()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])
