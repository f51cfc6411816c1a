"""When things happened on a device, for the cost of a clock read each: points in time, and sums of repeated spans."""

import time
from typing import Generic, Protocol, TypeVar

import torch

Point = TypeVar("Point")


class Device(Protocol[Point]):
    """How a device tells the time."""

    def now(self) -> Point:
        """The point at which the work given to the device so far is done."""

    def between_ms(self, start: Point, end: Point) -> float:
        """Waits until ``end`` has come."""


class Host:
    """A CPU, where operations return when they are done."""

    def now(self) -> float:
        return time.perf_counter()

    def between_ms(self, start: float, end: float) -> float:
        return (end - start) * 1e3


class Cuda:
    """A GPU's current stream, by events: nothing waits until a span is asked for."""

    def now(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def between_ms(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        end.synchronize()
        return start.elapsed_time(end)


class Clock(Generic[Point]):
    """Adds up spans that are opened and closed in turn; ``read_ms`` returns their sum and starts anew."""

    def __init__(self, device: Device[Point]) -> None:
        self._device = device
        self._spans: list[tuple[Point, Point]] = []
        self._started: Point | None = None

    def now(self) -> Point:
        return self._device.now()

    def between_ms(self, start: Point, end: Point) -> float:
        return self._device.between_ms(start, end)

    def start(self) -> None:
        self._started = self.now()

    def stop(self) -> tuple[Point, Point]:
        """The span that ends here."""
        self._spans.append((self._started, self.now()))
        return self._spans[-1]

    def read_ms(self) -> float:
        spans, self._spans = self._spans, []
        return sum(self.between_ms(start, end) for start, end in spans)


def make_clock(device: torch.device) -> Clock:
    return Clock(Cuda() if device.type == "cuda" else Host())
