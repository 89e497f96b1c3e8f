"""Sends the jobs of a sweep and sees them to their end, beside any number of other processes that do the same.

What passes through: a waiting cell is claimed (which makes its job, see `store.sweeps`), the client drives the job as
it drives any other, and the steps of all jobs, whoever made them, are read from the database a few times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vidnb import providers
from vidnb.client.asynchronous import AsyncClient
from vidnb.clock import Clock
from vidnb.errors import CapReachedError, ConfigError, StoreError, TransportError, VidnbError
from vidnb.jobs.ledger import awaited, may_make_room, refusal
from vidnb.records import Job, Reservation, State
from vidnb.store.sweeps import GO, PAUSE, STOP, Key, Standing, SweepRows
from vidnb.sweeps.outlook import OURS, Group, group_of
from vidnb.sweeps.plan import Plan, Planned

STANDING_BY = ("offline", "waiting")
"""Words of a run that sends nothing for a while and goes on by itself."""
RUNS = frozenset({"running", "pausing", "paused", *STANDING_BY})
"""Words of a run that has not ended."""
TICK_S = 0.25
"""How often the database is asked for news."""
LONGEST_REST_S = 30.0
"""Longest wait, in seconds, before a lost connection is tried again; the waits begin at 1 s and double."""
SPARE = 2
"""How many jobs are prepared beyond those that the service works on, so that a free place is used at once."""


@dataclass(repr=False)
class RunProgress:
    """How a run of a sweep goes."""

    standings: list[Standing | None]
    word: str = "running"
    """running, pausing, paused, stopped, budget, halted, offline, waiting (for jobs of others) or done."""
    why: str = ""
    """A sentence, where it stands still."""
    clock: Clock = field(default_factory=Clock, repr=False)
    ended: list[float] = field(default_factory=list)
    """When clips were done in this run, by the clock."""

    def __post_init__(self) -> None:
        self.began = self.clock.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self.clock.monotonic() - self.began

    def counts(self) -> Counter[Group]:
        """Return how many jobs stand how."""
        return Counter(map(group_of, self.standings))

    def __repr__(self) -> str:
        counts = self.counts()
        told = ", ".join(f"{counts[group]:,} {group}" for group in Group if counts[group])
        return f"<RunProgress: {self.word}; {told or 'no jobs'}>"


T = TypeVar("T")
OnChange = Callable[[RunProgress, list[int]], object]


class Run:
    """One process's part in the running of a sweep.

    Args:
        client: whose folder, keys and loop.
        sweep_id: of the registered sweep.
        purse: from which its jobs are paid.
        plan: its jobs.
        accept_unknown_price: send jobs although no cap can be held against their price.
        on_change: called with the progress and the places in `plan.jobs` of the jobs that changed.
    """

    def __init__(
        self,
        client: AsyncClient,
        sweep_id: str,
        purse: str,
        plan: Plan,
        *,
        accept_unknown_price: bool = False,
        on_change: OnChange = lambda progress, places: None,
    ) -> None:
        self.client = client
        self.plan = plan
        self.rows = SweepRows(client.store)
        self._aside = client.store.aside
        self._id = sweep_id
        self._purse = purse
        self._accepts = accept_unknown_price
        self._on_change = on_change
        self._places: dict[Key, int] = {job.key: place for place, job in enumerate(plan.jobs)}
        self._seen: set[int] = set()
        self._outstanding: dict[str, set[asyncio.Task[Job]]] = {}
        self._news = asyncio.Event()
        self._step = 0
        self._control: str | None = None
        self.progress = RunProgress([], clock=client.clock)

    async def to_end(self) -> RunProgress:
        """Return how it went, once nothing more can be done: all at their end, stopped, or halted for a reason."""
        self._step = await self._aside(self.rows.newest_step)
        self.progress.standings = await self._aside(self.rows.standings, [job.key for job in self.plan.jobs])
        self._on_change(self.progress, list(range(len(self.plan.jobs))))
        ticking = asyncio.create_task(self._tick(), name="vidnb sweep news")
        try:
            for provider in sorted({job.provider for job in self.plan.jobs}):
                await self._await_prices(provider)
            await self._patiently(self._take_up)
            targets = sorted({job.base_url for job in self.plan.jobs})
            async with asyncio.TaskGroup() as feeding:
                for base_url in targets:
                    feeding.create_task(self._feed(base_url), name=f"vidnb sweep {self._id}")
            await self._see_off()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            waiting = [ticking, *(task for tasks in self._outstanding.values() for task in tasks)]
            for task in waiting:
                task.cancel()  # only the waiting: the jobs themselves go on
            await asyncio.wait(waiting)
        await self._read()
        if self.progress.word in ("running", "pausing", *STANDING_BY):
            self.progress.word = "done"
        self._on_change(self.progress, [])
        return self.progress

    # -- sending -----------------------------------------------------------------------------------------------------

    async def _feed(self, base_url: str) -> None:
        """Keep the jobs of one service coming until no cell waits, or there is a reason to end."""
        outstanding = self._outstanding.setdefault(base_url, set())
        provider = next(job.provider for job in self.plan.jobs if job.base_url == base_url)
        wanted = (self.client.at_once or providers.get(provider).rates.in_flight) + SPARE
        while self.progress.word not in ("halted", "stopped"):
            if self._is_paused() or len(outstanding) >= wanted:
                await self._change(outstanding)
                continue
            await self._await_prices(provider)  # a sweep may go on for days
            try:
                claimed = await self._patiently(lambda: self._aside(self.rows.claim, self._id, base_url, self._row))
            except CapReachedError as error:
                if await self._is_anything_moving():
                    await self._patiently(self._take_up)  # a job of a killed process gives nothing back by itself
                elif not await self._await_others(error):
                    self._halt("budget", no_more(error))
                    return
                await self._change(outstanding)  # what is settled for less than was reserved makes room
                continue
            if self.progress.word == "waiting":
                self._go_on()
            if claimed is None:
                if not outstanding or not await self._any_left(base_url, outstanding):
                    return
                continue
            job, _ = claimed
            if job.is_terminal or job.state is State.AMBIGUOUS:
                continue
            self._send_off(job)
            await asyncio.sleep(0)

    async def _any_left(self, base_url: str, outstanding: set[asyncio.Task[Job]]) -> bool:
        """Return whether a cell waits once one more job is at its end: a retry may have put it back."""
        await self._change(outstanding)
        left = await self._patiently(lambda: self._aside(self.rows.left, self._id))
        return bool(left.get(base_url)) or bool(outstanding)

    async def _await_prices(self, provider: str) -> None:
        """Return once a claim reserves what the service asks today, where it lists its prices."""
        await self._patiently(lambda: self.client.await_prices(provider))

    async def _read_row(self, job_id: str) -> Job:
        return await self._patiently(lambda: self._aside(self.client.job, job_id))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what the database answers, once it does: another may hold it for a minute, or its disk be full."""
        rest_s = 1.0
        while True:
            try:
                found = await ask()
            except CapReachedError:
                raise
            except StoreError as error:
                if self.progress.word in ("halted", "stopped"):
                    raise
                self._offline(str(error))
                await self.client.clock.sleep(rest_s)
                rest_s = min(2 * rest_s, LONGEST_REST_S)
                continue
            if rest_s > 1.0:
                self._go_on()
            return found

    async def _drive(self, job: Job) -> Job:
        """See one job to its end; where there is no connection, or no room on the disk, wait for it."""
        rest_s = 1.0
        while True:
            try:
                job = await asyncio.shield(self.client.drive(job))
                break
            except (TransportError, StoreError) as error:
                self._offline(str(error))
                await self.client.clock.sleep(rest_s)
                rest_s = min(2 * rest_s, LONGEST_REST_S)
            except VidnbError as error:
                self._halt("halted", str(error))
                break
            job = await self._read_row(job.id)
            if self.progress.word in ("halted", "stopped"):
                return job
        self._go_on()
        kind = (job.error or {}).get("kind")
        if job.state is State.FAILED and kind in OURS:
            self._halt("halted", f"{(job.error or {}).get('message')}: {(job.error or {}).get('advice')}")
        return job

    def _row(self, cell: Mapping[str, Any]) -> tuple[Job, Reservation]:
        place = self._places.get((cell["base_url"], cell["recipe_hash"], cell["take"]))
        planned = self.plan.jobs[place] if place is not None else planned_of(cell)
        row = planned.row(self._purse, self.client.store.utc())
        return self.client.claimed(row, accept_unknown_price=self._accepts)

    # -- what others left, and the end -------------------------------------------------------------------------------

    async def _take_up(self) -> bool:
        """Drive the jobs that nobody works on; return whether any job of the sweep is on its way."""
        on_its_way = False
        for standing in self.progress.standings:
            if group_of(standing) is not Group.UNFINISHED or standing is None:
                continue
            on_its_way = True
            job = await self._aside(self.client.job, standing.job_id)
            if job.is_moving and job.id not in self._driven() and self.client.is_left_alone(job):
                self._send_off(job)
        return on_its_way

    def _driven(self) -> set[str]:
        """Return the ids of the jobs that have a task here."""
        return {task.get_name() for tasks in self._outstanding.values() for task in tasks}

    def _send_off(self, job: Job) -> None:
        """Drive the job in a task of its own, which counts as outstanding at its service until the job's end."""
        task = asyncio.create_task(self._drive(job), name=job.id)
        tasks = self._outstanding.setdefault(job.base_url, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _see_off(self) -> None:
        """Return once no job of the sweep is on its way any more, whoever drives it."""
        while True:
            if tasks := [task for tasks in self._outstanding.values() for task in tasks]:
                await asyncio.wait(tasks, timeout=1.0)
                continue
            await self._patiently(self._read)
            is_theirs = self.progress.word == "stopped" and self._control == GO  # who has begun it again sees to it
            if self.progress.word == "halted" or is_theirs or not await self._patiently(self._take_up):
                return
            await self.client.clock.wait(TICK_S)

    async def _await_others(self, error: CapReachedError) -> bool:
        """Say that jobs of others, which hold a part of the purse, are waited for; return whether there are any."""
        if not may_make_room(error):
            return False
        jobs = await self._patiently(lambda: self._aside(self.client.store.held_by, error.purse))
        alone = {job.id for job in jobs if job.id not in self._driven() and self.client.is_left_alone(job)}
        reached = {job.base_url for job in self.plan.jobs}
        jobs = [job for job in jobs if job.is_moving and (job.base_url in reached or job.id not in alone)]
        jobs = [job for job in jobs if error.ahead in (None, job.id)]
        for job in jobs:
            if job.id in alone:  # its process died
                self._send_off(job)
        if jobs:
            self._stand_by("waiting", awaited(error, jobs))
        return bool(jobs)

    async def _is_anything_moving(self) -> bool:
        await self._patiently(self._read)
        return any(group_of(standing) is Group.UNFINISHED for standing in self.progress.standings)

    # -- news --------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await self.client.clock.wait(TICK_S)
            with contextlib.suppress(VidnbError):  # a database that is busy now is asked again
                await self._read()

    async def _read(self) -> None:
        """Take in the steps of all jobs since the last time, and what a person wants."""
        newest, steps = await self._aside(self.rows.steps, self._step)
        fresh = {job_id: None for number, job_id in steps if number not in self._seen}
        found = await self._aside(self.rows.jobs, list(fresh)) if fresh else ()
        self._step, self._seen = newest, {number for number, _ in steps}  # now that nothing can fail any more
        places: list[int] = []
        for key, standing in found:
            place = self._places.get(key)
            if place is None:
                continue
            known = self.progress.standings[place]
            if known == standing or (
                known is not None
                and (known.is_live, known.created_at) > (standing.is_live, standing.created_at)
                and known.job_id != standing.job_id
            ):
                continue
            if standing.state is State.DONE:
                self.progress.ended.append(self.client.clock.monotonic())
            self.progress.standings[place] = standing
            places.append(place)
        word = self.progress.word
        self._control = await self._aside(self.rows.control, self._id)
        self._obey(self._control)
        if places or word != self.progress.word:
            self._on_change(self.progress, places)
        self._news.set()

    def _obey(self, control: str | None) -> None:
        progress = self.progress
        if control == STOP and progress.word not in ("halted", "budget"):
            progress.word = "stopped"
        elif control == PAUSE and progress.word in ("running", "pausing", *STANDING_BY):
            moving = any(group_of(standing) is Group.UNFINISHED for standing in progress.standings)
            progress.word, progress.why = "pausing" if moving else "paused", ""
        elif control not in (PAUSE, STOP) and progress.word in ("pausing", "paused"):
            progress.word = "running"

    def _is_paused(self) -> bool:
        return self.progress.word in ("pausing", "paused")

    async def _change(self, outstanding: Iterable[asyncio.Task[Job]]) -> None:
        """Return when a job is at its end, or at the next news."""
        self._news.clear()
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait([news, *outstanding], return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    def _offline(self, why: str) -> None:
        again = f"Nothing is lost; it is tried again, every {LONGEST_REST_S:.0f} s at the latest"
        self._stand_by("offline", f"{why.rstrip('.')}. {again}")

    def _stand_by(self, word: str, why: str) -> None:
        """Say why nothing is sent for a while; it goes on by itself."""
        if self.progress.word in ("running", *STANDING_BY):
            self.progress.word, self.progress.why = word, why
            self._on_change(self.progress, [])

    def _go_on(self) -> None:
        """End the standing by: what was waited for is there."""
        if self.progress.word in STANDING_BY:
            self.progress.word, self.progress.why = "running", ""

    def _halt(self, word: str, why: str) -> None:
        if self.progress.word not in ("halted", "stopped"):
            self.progress.word, self.progress.why = word, why
            self._on_change(self.progress, [])


def no_more(error: CapReachedError) -> str:
    """Return the refusal in words for a sweep, which has mostly sent something before."""
    return str(refusal(error)).replace("Nothing was sent", "No more is sent", 1)


def recipe_of(job: Planned) -> dict[str, Any]:
    """Return what of a job is written with its cell, so that a process without the plan can make the job."""
    names = ("provider", "model", "emulated", "params", "images", "dropped")
    return {name: getattr(job, name) for name in names}


def planned_of(cell: Mapping[str, Any]) -> Planned:
    """Return the job of a cell as it was written."""
    key = {name: cell[name] for name in ("base_url", "recipe_hash", "take")}
    try:
        return Planned(**cell["recipe"], **key)
    except TypeError as error:
        raise ConfigError("a sweep in this folder was written by another vidnb; update the older one") from error
