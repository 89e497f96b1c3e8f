"""The one clock: how long something takes, what time it is, and how to wait.

Whatever measures, dates or waits takes a `Clock`, so that a test can move time by hand.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

Sleep = Callable[[float], Awaitable[None]]

_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Goes on while the machine sleeps, as `time.monotonic` does on Windows and does not on Linux; Linux alone has it."""


class Clock:
    """The machine's own clock.

    Args:
        sleep: how to wait between polls and tries; default the event loop's own way.

    Example:
        >>> clock = Clock()
        >>> clock.monotonic() <= clock.monotonic()
        True
    """

    def __init__(self, sleep: Sleep | None = None) -> None:
        self._sleep = sleep or asyncio.sleep

    def monotonic(self) -> float:
        """Return seconds since some moment: never set back, and going on while the machine sleeps."""
        return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)

    def now(self) -> float:
        """Return seconds since 1970, which whoever sets the machine's clock may set back."""
        return time.time()

    def utc(self) -> datetime:
        """Return the time now, aware and in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as the `sleep` that was given does."""
        await self._sleep(seconds)

    async def wait(self, seconds: float) -> None:
        """Return after so many seconds, whatever `sleep` was given."""
        await asyncio.sleep(seconds)
