"""How far a conversion is: a bar on a terminal, a line at every tenth anywhere else."""

import time
from typing import TextIO

BAR_WIDTH = 30
REDRAW_S = 0.1
UNITS = ("", "K", "M", "G", "T")


class Progress:
    """Drawn on a stream as input is used up."""

    def __init__(self, total_bytes: int, stream: TextIO) -> None:
        self._total = max(1, total_bytes)
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._started = time.monotonic()
        self._drawn_at = float("-inf")
        self._done_bytes = self._tokens = self._tenths = 0

    def add(self, num_bytes: int, num_tokens: int) -> None:
        self._done_bytes += num_bytes
        self._tokens += num_tokens
        share = min(1.0, self._done_bytes / self._total)
        now = time.monotonic()
        if self._is_terminal and (share == 1.0 or now - self._drawn_at >= REDRAW_S):
            self._drawn_at = now
            filled = int(share * BAR_WIDTH)
            bar = "█" * filled + "░" * (BAR_WIDTH - filled)
            self._stream.write(f"\r\x1b[K{bar} {self._describe(share, now)}")
        elif not self._is_terminal and int(share * 10) > self._tenths:
            self._tenths = int(share * 10)
            self._stream.write(f"data prepare: {self._describe(share, now)}\n")
        self._stream.flush()

    def close(self) -> None:
        """Clear the bar away, so that what is written next begins a line."""
        if self._is_terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _describe(self, share: float, now: float) -> str:
        elapsed = max(now - self._started, 1e-9)
        rate = self._tokens / elapsed
        left = elapsed * (1 - share) / share if share > 0 else 0.0
        return f"{share:4.0%}  {in_units(self._tokens)} tokens  {in_units(rate)} tokens/s  {in_time(left)} left"


def in_units(number: float) -> str:
    """Three or four digits and a unit: ``1.24 M``."""
    power = 0
    while number >= 999.5 and power < len(UNITS) - 1:
        number, power = number / 1000, power + 1
    digits = 0 if power == 0 or number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{digits}f} {UNITS[power]}".strip()


def in_time(seconds: float) -> str:
    """``3 s``, ``2:05 min``, ``1:02 h``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"
