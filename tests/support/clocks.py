"""A clock for tests: it stands until it is moved, and can do what the clocks of real machines do."""

from __future__ import annotations

import asyncio

from vidnb.clock import Clock
from vidnb.emulator import VirtualClock


class TestClock(VirtualClock):
    """A clock that is moved by hand; what is set back or forward is the time of day only."""

    __test__ = False

    def forward(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.advance(seconds)

    def set_by(self, seconds: float) -> None:
        """Set the time of day, as a person or the network does; nothing passes."""
        self._start_s += seconds
        self._now_s += seconds


class SkippingClock(TestClock):
    """A clock whose waits are over as soon as everyone else had a turn; the time that they stand for passes."""

    async def sleep(self, seconds: float) -> None:
        """Return at once; so many seconds have passed."""
        await asyncio.sleep(0)
        self.advance(seconds)

    wait = TestClock.sleep


class ImpatientClock(Clock):
    """The machine's clock, by which no look into a folder waits longer than a twentieth of a second."""

    async def wait(self, seconds: float) -> None:
        """Return after so many seconds, or a little earlier."""
        await super().wait(min(seconds, 0.05))


async def turns(count: int = 20) -> None:
    """Let the tasks that are ready run."""
    for _ in range(count):
        await asyncio.sleep(0)
