"""The emulator's time: the real clock, or one that a test moves by hand."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

import anyio

_LOOK_S = 0.002


class Clock(Protocol):
    """Whatever knows the time in seconds since 1970."""

    def now(self) -> float: ...


class RealClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()


class VirtualClock:
    """A clock that stands still until it is advanced, from any thread.

    Example:
        >>> clock = VirtualClock()
        >>> clock.advance(60) - 60 == VirtualClock.START_S
        True
    """

    START_S = 1_767_225_600.0
    """2026-01-01T00:00:00Z."""

    def __init__(self, start_s: float = START_S) -> None:
        self._now_s = start_s
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since 1970, as far as the clock was advanced."""
        return self._now_s

    def advance(self, seconds: float) -> float:
        """The time after moving the clock forward."""
        with self._lock:
            self._now_s += seconds
            return self._now_s


async def sleep_until(clock: Clock, when_s: float) -> None:
    """Return once the clock shows that time."""
    # A clock that is moved by hand tells nobody, and it may be moved from another thread: look again soon.
    while (left_s := when_s - clock.now()) > 0:  # noqa: ASYNC110
        await anyio.sleep(left_s if isinstance(clock, RealClock) else _LOOK_S)


def iso(when_s: float, *, zone: str = "Z") -> str:
    """The time as both services write it: milliseconds, `Z` at 1min, nothing at Leonardo."""
    return datetime.fromtimestamp(when_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + zone
