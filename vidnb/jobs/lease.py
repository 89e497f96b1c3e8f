"""Who works on a job: a lease in its row, renewed while the job is in hand, so that no two processes do.

The row says until when a lease holds, for other processes to read: by the time of the database (see
`store.shared_time`). The process that has it counts by a clock that nobody sets and that goes on while the machine
sleeps, so it knows when its lease may have been given away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from vidnb.errors import NotSentError, StoreError
from vidnb.forking import in_child
from vidnb.jobs.process import is_alive, is_dead, process_name
from vidnb.records import Job, State

if TYPE_CHECKING:
    from vidnb.store import Store

log = logging.getLogger("vidnb")

LEASE_S = 60.0
"""Longer than a renewal may take: it begins after a quarter of this, and may wait `BUSY_S` for a locked database."""
RETRY_S = 1.0
"""So soon a renewal that was refused is tried again."""


class Leases:
    """The leases of this process.

    Args:
        store: the rows.
        lease_s: how long a lease lasts; it is renewed four times as often.
    """

    def __init__(self, store: Store, lease_s: float = LEASE_S) -> None:
        self.owner = process_name()
        self._store = store
        self._clock = store.clock
        self._lease_s = lease_s
        self._until: dict[str, float] = {}
        self._held: set[str] = set()
        self._heart: asyncio.Task[None] | None = None
        self._silent: dict[str, tuple[tuple[str, datetime | None], float]] = {}
        in_child(self._begin_anew)

    def _begin_anew(self) -> object:
        """Hold none of the parent's leases in a forked child, under a name of its own."""
        left = self._heart
        self.owner, self._heart = process_name(), None
        self._until, self._held = {}, set()
        return left

    def with_lease(self, job: Job) -> Job:
        """Return the job with a lease of this process, for a row that is about to be written."""
        until = self._store.shared_time.utc() + timedelta(seconds=self._lease_s)
        return replace(job, lease_owner=self.owner, lease_until=until)

    async def claim(self, job: Job) -> bool:
        """Try to lease the job to this process; return whether it was free, or its holder dead or too late."""
        row = await self._store.aside(self._store.get, job.id)
        holder = row.lease_owner
        if holder is not None and holder != self.owner:
            if is_dead(holder):
                await self._store.aside(self._store.release, job.id, holder)
            elif is_alive(holder) and not self._is_silent(row):
                return False
        until = self._clock.monotonic() + self._lease_s
        taken = await self._store.aside(self._store.lease, job.id, self.owner, self._lease_s)
        if taken:
            self._until[job.id] = until
            self._silent.pop(job.id, None)
        return taken

    async def release(self, job: Job) -> None:
        """Let another process have the job."""
        await self._store.aside(self._store.release, job.id, self.owner)

    @contextmanager
    def held(self, job: Job) -> Iterator[None]:
        """Renew the job's lease for as long as the block runs."""
        self._held.add(job.id)
        if job.id not in self._until and job.lease_until is not None:  # the row was written with its lease
            left_s = (job.lease_until - self._store.shared_time.utc()).total_seconds()
            self._until[job.id] = self._clock.monotonic() + min(left_s, self._lease_s)
        if self._heart is None or self._heart.done():
            self._heart = asyncio.create_task(self._beat(), name="vidnb leases")
        try:
            yield
        finally:
            self._held.discard(job.id)
            self._until.pop(job.id, None)

    async def confirm(self, job: Job) -> None:
        """Check just before a POST leaves that the job still belongs to this process; return if it does.

        This is the last check: the connection is open and the first byte is written next. A small window remains
        between the two. If the process is suspended exactly there, for longer than the rest of its lease (at least a
        quarter of it), it still sends when it wakes up. The job is then paid twice only if meanwhile another process
        saw the lease run out and made the job ambiguous, and a person answered "send again".

        Raises:
            NotSentError: it is not, or not for long enough; nothing may be sent.
        """
        self._check_left(job)
        state, owner, submitted_at = await self._store.aside(self._store.holder, job.id)
        if owner != self.owner:
            raise NotSentError("another process took the job up meanwhile; this one sent nothing")
        if state is not State.SUBMITTING or submitted_at != job.submitted_at:
            raise NotSentError(f"the job became {state} meanwhile; nothing was sent from here")
        self._check_left(job)  # the database may have kept us waiting

    def _check_left(self, job: Job) -> None:
        left_s = self._until.get(job.id, float("-inf")) - self._clock.monotonic()
        if left_s < self._lease_s / 4:
            raise NotSentError(
                "this process, or the whole machine, stood still for so long that another one may have taken the job "
                "up; nothing was sent"
            )

    def _is_silent(self, row: Job) -> bool:
        """Return whether a process that lives has not renewed its lease for the length of one.

        It may be suspended. By the time of day alone a lease seems to have run out, too, when that was set forward.
        """
        assert row.lease_owner is not None
        seen = (row.lease_owner, row.lease_until)
        known, since = self._silent.get(row.id, (None, 0.0))
        if known != seen:
            self._silent[row.id] = (seen, self._clock.monotonic())
            return False
        return self._clock.monotonic() - since >= self._lease_s

    async def _beat(self) -> None:
        """Keep the leases of the jobs in hand, for as long as there are any."""
        rest_s = self._lease_s / 4
        is_told = False
        while self._held:
            await self._clock.wait(rest_s)
            rest_s = self._lease_s / 4
            try:
                await self._renew()
                is_told = False
            except StoreError as error:  # locked, a full disk: the next try may pass, and until then the lease holds
                if not is_told:
                    log.warning("the leases of %d jobs could not be renewed: %s", len(self._held), error)
                is_told, rest_s = True, min(RETRY_S, rest_s)

    async def _renew(self) -> None:
        mine = list(self._held)
        until = self._clock.monotonic() + self._lease_s
        held = await self._store.aside(self._store.renew, mine, self.owner, self._lease_s) if mine else set()
        for job_id in mine:
            if job_id in held:
                self._until[job_id] = until
            else:
                self._until.pop(job_id, None)
