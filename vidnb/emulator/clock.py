"""The emulator's time: the machine's clock, or one that a test moves by hand."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

from vidnb.clock import Clock

RealClock = Clock
_LOOK_S = 0.002


class VirtualClock(Clock):
    """A clock that stands still until it is advanced, from any thread; who waits on it waits for that.

    Example:
        >>> clock = VirtualClock()
        >>> clock.advance(60) - 60 == VirtualClock.START_S
        True
    """

    START_S = 1_767_225_600.0
    """2026-01-01T00:00:00Z."""

    def __init__(self, start_s: float = START_S) -> None:
        super().__init__()
        self._start_s = self._now_s = start_s
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Return the seconds by which the clock was advanced."""
        return self._now_s - self._start_s

    def now(self) -> float:
        """Return seconds since 1970, as far as the clock was advanced."""
        return self._now_s

    def advance(self, seconds: float) -> float:
        """Return the time after moving the clock forward."""
        with self._lock:
            self._now_s += seconds
            return self._now_s

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by so many seconds."""
        until = self.monotonic() + seconds
        await asyncio.sleep(0)
        # A clock that is moved by hand tells nobody, and it may be moved from another thread: look again soon.
        while self.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)

    wait = sleep


async def sleep_until(clock: Clock, when_s: float) -> None:
    """Return once the clock shows that time."""
    while (left_s := when_s - clock.now()) > 0:
        await clock.sleep(left_s)


def iso(when_s: float, *, zone: str = "Z") -> str:
    """The time as both services write it: milliseconds, `Z` at 1min, nothing at Leonardo."""
    return datetime.fromtimestamp(when_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + zone
