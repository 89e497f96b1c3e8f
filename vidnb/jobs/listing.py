"""One list of an account's newest jobs, read for all who ask at about the same time.

Several jobs on their way cost a request each time one of them is asked about; a service with a list answers for all of
them with one. A list says only what is clear: a job that it lacks, or of which it says anything but "on its way" and
"finished, here is the clip", is read by itself. So is everything for a while after the list itself failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from vidnb.clock import Clock
from vidnb.errors import ProviderError, RateLimitError, TransportError
from vidnb.net.wire import Wire
from vidnb.records import Call, Job, Reply, State, Status

T = TypeVar("T")

SEVERAL = 3
"""From so many jobs on their way, one list is less work than a read for each."""
SPARE = 10
"""Entries for jobs that others (the web app, another process) made meanwhile."""
LONGEST = 100
LONGEST_PACE_S = 3.0
QUIET_S = 60.0
"""So long after a list that failed, none is tried."""
CLEAR = (State.QUEUED, State.RUNNING, State.DOWNLOADING)


class Listing:
    """The list of one account at one provider.

    Args:
        wire: the account's connection.
        clock: says how old a list is.
    """

    def __init__(self, wire: Wire, clock: Clock | None = None) -> None:
        self._wire = wire
        self._clock = clock or Clock()
        self._one_at_a_time = asyncio.Lock()
        self._followed: dict[str, Job] = {}
        self._absent: set[str] = set()
        self._most = 0
        self._statuses: dict[str, Status] = {}
        self._read_at = self._quiet_until = float("-inf")
        self._took_s = 0.0
        self._account_reply: Reply | None = None

    @contextmanager
    def following(self, job: Job) -> Iterator[None]:
        """Count the job as on its way while the block runs."""
        remote_id = job.remote_id or ""
        self._followed[remote_id] = job
        self._most = max(self._most, len(self._followed))
        try:
            yield
        finally:
            self._followed.pop(remote_id, None)
            self._absent.discard(remote_id)

    def covers(self, remote_id: str) -> bool:
        """Return whether one list costs less than a question about this job alone."""
        several = len(self._followed) - len(self._absent) >= SEVERAL
        return several and remote_id not in self._absent and self._clock.monotonic() >= self._quiet_until

    @property
    def pace_s(self) -> float:
        """Seconds between two lists: reading them takes a tenth of the time, while they are quick enough for that."""
        return min(LONGEST_PACE_S, 9 * self._took_s)

    async def status(self, remote_id: str, *, after: float, within_s: float) -> Status | None:
        """Return the job's status as the list tells it, or None where the job must be polled alone.

        Args:
            remote_id: of the job.
            after: the moment (`Clock.monotonic`) of the last news of the job: an older list tells nothing new.
            within_s: how old a list that was read for another job may be.
        """
        if not self.covers(remote_id):
            return None
        async with self._one_at_a_time:
            if self._read_at < after or self._clock.monotonic() - self._read_at > max(within_s, self.pace_s):
                await self._read()
        status = self._statuses.get(remote_id)
        if status is None and self._statuses:
            self._absent.add(remote_id)
        return status if status is not None and status.state in CLEAR else None

    async def _read(self) -> None:
        """Read the list once more; where it fails, the statuses are forgotten."""
        self._statuses, self._read_at = {}, self._clock.monotonic()
        # Those that just finished stand above older ones that still run, so it is the most at once that counts.
        exchange = self._wire.target.provider.recent(min(LONGEST, self._most + SPARE), list(self._followed.values()))
        try:
            listed = [] if exchange is None else await converse(self._answer, exchange)
        except (ProviderError, TransportError) as error:  # what it means for a job, that job's own read says
            listed, self._account_reply = [], None
            if isinstance(error, RateLimitError):
                await self._wire.pace.read_refused(error)
        self._took_s = self._clock.monotonic() - self._read_at
        self._statuses = {job.remote_id: job.status for job in reversed(listed) if job.status is not None}
        if not self._statuses:
            self._quiet_until = self._clock.monotonic() + QUIET_S

    async def _answer(self, call: Call) -> Reply:
        """The reply. The one about the account is kept: a list needs only the account's id, which never changes."""
        if call != self._wire.target.provider.check():
            return await self._wire.call(call, once=True)
        if self._account_reply is None:
            self._account_reply = await self._wire.call(call, once=True)
        return self._account_reply


async def converse(answer: Callable[[Call], Awaitable[Reply]], exchange: Generator[Call, Reply, T]) -> T:
    """The value that a provider's exchange returns once every call it yields was answered."""
    try:
        call = next(exchange)
        while True:
            call = exchange.send(await answer(call))
    except StopIteration as end:
        return cast(T, end.value)
