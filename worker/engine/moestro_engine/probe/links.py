"""Collectives and messages between all ranks at once, by size."""

import statistics
import time
from functools import partial

import torch
import torch.distributed as dist

SIZES = tuple(4**power for power in range(4, 13))
NUM_ROUNDS = 8


def all_reduce_curve(device: torch.device) -> list[tuple[int, float]]:
    """Bytes and milliseconds of an fp32 all-reduce over the world."""
    return _curve(dist.all_reduce, device, 1)


def message_curve(device: torch.device) -> list[tuple[int, float]]:
    """Bytes and milliseconds one way between ranks half the world apart, all pairs at once."""
    rank, world = dist.get_rank(), dist.get_world_size()
    half = world // 2
    peer = (rank + half) % (2 * half) if rank < 2 * half else None

    def ping_pong(data: torch.Tensor) -> None:
        if peer is None:
            return
        moves = (dist.send, dist.recv) if rank < half else (dist.recv, dist.send)
        for move in moves:
            move(data, peer)

    return _curve(ping_pong, device, 2)


def _curve(operation, device: torch.device, moves: int) -> list[tuple[int, float]]:
    buffers = [torch.zeros(size // 4, device=device) for size in SIZES]
    return [(size, _median(partial(operation, data), device) / moves) for size, data in zip(SIZES, buffers, strict=True)]


def _median(operation, device: torch.device) -> float:
    times = []
    for _ in range(NUM_ROUNDS):
        started = time.perf_counter()
        operation()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times[2:])
