"""The pace of one account at one service, kept by all processes of the data folder together.

A submit waits for a place at the service and for its turn; a poll waits for its turn only. Submits and polls are
counted apart. When the service refuses a call (429), all calls of the same kind pause for as long as the service says;
where it says nothing, each refusal in a row makes the pause longer. After a pause these calls are made less often, and
each later call brings the usual pace back by one step.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from vidnb.errors import RateLimitError, StoreError
from vidnb.net.target import Target
from vidnb.net.wire import Pace
from vidnb.records import Job

if TYPE_CHECKING:
    from vidnb.store import Store
    from vidnb.store.pace import Turn

BELOW = 0.98
"""The published rate is never reached: a service's own window does not begin where ours does."""
SOON_PER_S = 5.0
"""From this rate on calls are spread evenly; below it a few may be made at once, as a person does."""
LOOK_S = (0.08, 0.25)
"""How often a process that waits for a place at the service looks again: between these, by chance."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0
LONGEST_QUIET_S = 600.0
"""Polls wait out no longer pause, whatever a service asks for: a job is looked after now and then."""
MANY = 20
"""After so many refusals in a row nothing more is tried."""


class Limiter(Pace):
    """The pace of the account that a target is reached with.

    Args:
        store: the rows, which all processes share.
        target: the service and the account.
        at_once: jobs of the account to have at the service at once.
    """

    def __init__(self, store: Store, target: Target, at_once: int) -> None:
        from vidnb.store.pace import PaceRows  # with SQLAlchemy, which a client loads when it opens its folder

        rates = target.provider.rates
        self._rows = PaceRows(store)
        self._aside = store.aside
        self._clock = store.clock
        self._title = target.provider.title
        self._lane = target.lane
        self._at_once = at_once
        self._limited = not target.emulated  # the emulator is asked as quickly as it answers
        self._submit = pace(rates.submits_per_minute, rates.in_flight) if self._limited else (0.0, 1)
        self._read = pace(rates.requests_per_minute, rates.in_flight) if self._limited else (0.0, 1)
        self._turn = asyncio.Lock()
        self._slots = asyncio.Semaphore(at_once)
        self._sending: dict[str, int] = {}
        self._refused = self._reads_refused = 0
        self._quiet_until = float("-inf")

    @asynccontextmanager
    async def slot(self, job: Job) -> AsyncIterator[None]:
        """Wait for one of the slots that this process has for jobs on their way, and keep it while the block runs.

        A job that is not sent yet and has no slot loses the place at the service that it may have had. Otherwise two
        jobs could wait for each other for ever: one has a slot and waits for the place, the other has the place and
        waits for a slot.
        """
        async with self._slots:
            self._sending[job.id] = 0
            try:
                yield
            finally:
                self._sending.pop(job.id, None)

    async def may_submit(self, job: Job) -> None:
        """Return once the job has a place at the service and it is its turn."""
        place = None
        if not self._turn.locked():  # nobody of this process waits for a place to become free
            place = await self._aside.together(self._asked, job)
        if place is None:
            async with self._turn:  # one of this process looks; the others come after it in their order
                place = await self._place(job)
        await self._wait(place, "submit")

    async def _place(self, job: Job) -> Turn:
        """Return the turn of a job once it has a place at the service, its own or one that became free."""
        while True:
            place = await self._aside(self._asked, job)
            if place is not None:
                return place
            await self._clock.sleep(random.uniform(*LOOK_S))

    def _asked(self, job: Job) -> Turn | None:
        """Return the turn of a job; None while the service has no place for it."""
        place = self._rows.submit_turn(self._lane, job, {job.id, *self._sending}, self._at_once, *self._submit)
        if place is not None:
            self._refused = place.refused
        return place

    async def may_read(self, *, urgent: bool = False) -> None:
        """Return once it is the turn of one more poll, or of another call that costs nothing; see `Pace`."""
        if self._limited:
            place = await self._aside(self._rows.turn, self._lane, "read", *self._read)
            if urgent and place.wait_s > LONGEST_PAUSE_S:
                await self._clock.sleep(LONGEST_PAUSE_S)
            else:
                await self._wait(place, "read")
        elif (quiet_s := self._quiet_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(quiet_s, LONGEST_PAUSE_S) if urgent else quiet_s)

    async def read_refused(self, error: RateLimitError) -> None:
        """Note that the service refused a poll: for a while no process of the folder polls it.

        Submits are counted apart, by the services too, and go on.
        """
        pause_s = error.retry_after_s or min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._reads_refused)
        pause_s = min(pause_s, LONGEST_QUIET_S)
        if self._limited:
            self._reads_refused = (await self._aside(self._rows.refuse, self._lane, "read", pause_s)).refused
        else:
            self._quiet_until = max(self._quiet_until, self._clock.monotonic() + pause_s)
            self._reads_refused += 1

    async def read_passed(self) -> None:
        """Note that the service answered a poll; the other processes are told only if it refused one before."""
        if self._reads_refused:
            self._reads_refused = 0
            if self._limited:
                await self._aside(self._rows.accept, self._lane, "read")

    async def refused(self, job: Job, error: RateLimitError) -> None:
        """Return once a submit that the service refused may be sent again, in the job's own place.

        Raises:
            RateLimitError: it has refused too often in a row, or wants a pause that nobody waits for.
        """
        pause_s = error.retry_after_s or min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._refused)
        place = await self._aside(self._rows.refuse, self._lane, "submit", pause_s)
        self._refused = place.refused
        # The rows count all refusals during one pause as one. Where a client's `sleep` does not wait, only this count
        # of the job's own refusals ends its submits.
        own = self._sending[job.id] = self._sending.get(job.id, 0) + 1
        if (times := max(place.refused, own)) >= MANY:
            told = RateLimitError(
                f"{self._title} refuses for now: it said 429 {times} times in a row; nothing was charged",
                provider=job.provider, status_code=error.status_code,
            )  # fmt: skip
            told.retry_after_s = place.wait_s
            raise told from error
        # It has its place still. Those in the line may wait for that very place, so it does not stand behind them.
        await self._wait(await self._place(job), "submit")

    async def accepted(self) -> None:
        """Note that the service accepted a submit; the other processes are told only if it refused one before."""
        if self._refused:
            self._refused = 0
            await self._aside(self._rows.accept, self._lane, "submit")

    async def _wait(self, place: Turn, kind: str) -> None:
        """Sleep until it is the place's turn; a pause that began meanwhile moves it on by as long."""
        wait_s, paused_s = place.wait_s, place.paused_s
        while wait_s > 0:
            await self._clock.sleep(wait_s)
            try:
                now = await self._aside(self._rows.look, self._lane, kind)
            except StoreError:
                return  # a database that is busy must not hold up a call whose turn it is
            wait_s, paused_s = now.paused_s - paused_s, now.paused_s


def pace(per_minute: int, in_flight: int) -> tuple[float, int]:
    """Return the seconds between two calls, and how many may be made at once after a rest.

    Any sliding minute, bursts included, stays below the published number.

    Args:
        per_minute: what the service publishes.
        in_flight: how many jobs it works on at once.
    """
    allowed = BELOW * per_minute
    if per_minute / 60 >= SOON_PER_S:
        return 60.0 / allowed, 1
    burst = max(1, min(in_flight, round(per_minute / 10)))
    return 60.0 / max(allowed - burst, 0.5), burst
