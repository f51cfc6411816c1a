"""Adding up the time of repeated spans, for the cost of two clock reads each."""

import time
from typing import Protocol

import torch


class Clock(Protocol):
    """Spans are opened and closed in turn; ``read_ms`` returns their sum and starts anew."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def read_ms(self) -> float: ...


class HostClock:
    """Wall time on the CPU, where operations return when they are done."""

    def __init__(self) -> None:
        self._total_s = 0.0
        self._started = 0.0

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> None:
        self._total_s += time.perf_counter() - self._started

    def read_ms(self) -> float:
        total, self._total_s = self._total_s, 0.0
        return total * 1e3


class CudaClock:
    """Time on the GPU's current stream by events, read once a step without stopping the stream in between."""

    def __init__(self) -> None:
        self._spans: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def start(self) -> None:
        self._spans.append((torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)))
        self._spans[-1][0].record()

    def stop(self) -> None:
        self._spans[-1][1].record()

    def read_ms(self) -> float:
        torch.cuda.synchronize()
        spans, self._spans = self._spans, []
        return sum(start.elapsed_time(end) for start, end in spans)


def make_clock(device: torch.device) -> Clock:
    return CudaClock() if device.type == "cuda" else HostClock()
