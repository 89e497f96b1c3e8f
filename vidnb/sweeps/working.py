"""Takes part in every sweep of a data folder, and takes up what others left: what `vidnb work` runs, on any machine.

A worker knows no plan. It claims waiting cells, which hold their recipes, and drives the jobs that come of them; a job
whose process died is taken up once its lease has run out. Any number of workers share one database: a cell is claimed
by one of them only, and a POST is never repeated.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Any

from vidnb import catalog, providers
from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import CapReachedError, ConfigError, StoreError, TransportError, VidnbError
from vidnb.records import Job, Reservation, State
from vidnb.store.sweeps import SweepRows
from vidnb.sweeps.outlook import OURS
from vidnb.sweeps.running import LONGEST_REST_S, SPARE, no_more, planned_of

LOOK_S = 1.0
"""How often the database is asked for sweeps and for jobs that nobody works on."""
CAP_REST_S = 5.0
"""A sweep whose purse is empty is looked at again after so long."""
DATABASE = "the database"
"""What is told once while it cannot be used, or a disk is full."""
STEADY_S = 30.0
"""Once it worked for so long, it is told of again. What failed before may be heard of after a call that passed."""
REFUSED_REST_S = 60.0
"""A service that refuses every job is asked again after so long."""


class Worker:
    """Works on the sweeps of one data folder.

    Args:
        client: whose folder and keys.
        say: told what a person should know.
        accept_unknown_price: send jobs although no cap in money can be held against their price.
    """

    def __init__(
        self, client: AsyncClient, say: Callable[[str], object] = print, *, accept_unknown_price: bool = False
    ) -> None:
        self.done = 0
        self.failed = 0
        self._client = client
        self._say = say
        self._accepts = accept_unknown_price
        self._rows = SweepRows(client.store)
        self._driving: dict[str, set[asyncio.Task[None]]] = {}
        self._not_before: dict[str, float] = {}
        self._told: set[str] = set()
        self._capped: set[str] = set()
        self._rehearsed: set[str] = set()

    async def work(self, *, until_idle: bool = False) -> None:
        """Claim cells and drive jobs for ever, or until there is nothing to do.

        Args:
            until_idle: end once no job is on its way, here or elsewhere, and no cell waits but for a higher cap.

        Raises:
            StoreError: the database cannot be read at the beginning; one that is away later is waited for.
        """
        has_begun = False
        catalog.load()  # here, else the first claim would, for a tenth of a second in which it holds its rows
        try:
            while True:
                try:
                    left = await self._take_up()
                    waiting = await self._claim_some()
                except StoreError as error:
                    if not has_begun:
                        raise
                    self._tell_of_database(error)
                    await self._client.clock.wait(CAP_REST_S)
                    continue
                has_begun = True
                if self._may(DATABASE):
                    self._told.discard(DATABASE)
                if until_idle and not waiting and not left and not self._tasks() and not await self._claim_capped():
                    return
                tasks = self._tasks()
                if tasks:
                    await asyncio.wait(tasks, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await self._client.clock.wait(LOOK_S)
        finally:
            for task in self._tasks():
                task.cancel()  # only the waiting: the jobs themselves go on

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for tasks in self._driving.values() for task in tasks]

    async def _claim_some(self) -> bool:
        """Claim as many cells as there are places; return whether any waits that needs no higher cap."""
        reached = self._reached()
        waiting = False
        for sweep_id, purse, waits in await self._client.store.aside(self._rows.under_way):
            for base_url in sorted(set(waits) & set(reached)):
                name = f"{sweep_id} {base_url}"
                provider, at_once = reached[base_url]
                while len(self._driving.get(base_url, ())) < at_once + SPARE and self._may(name, base_url):
                    await self._client.await_prices(provider)  # a claim reserves what the service asks today
                    if not await self._claim(sweep_id, purse, base_url, name):
                        break
                waiting = waiting or name not in self._capped
        return waiting

    async def _claim_capped(self) -> bool:
        """Ask the purses that were empty once more, as the last job may have given its part back; return as above."""
        for name in self._capped:
            self._not_before.pop(name, None)
        self._capped.clear()
        return await self._claim_some() or bool(self._tasks())

    async def _claim(self, sweep_id: str, purse: str, base_url: str, name: str) -> bool:
        """Return whether a cell was claimed and is driven now."""
        make = functools.partial(self._row, purse)
        aside = self._client.store.aside
        try:
            if name not in self._rehearsed:
                await aside(self._rows.rehearse, sweep_id, base_url, make)
                self._rehearsed.add(name)
            claimed = await aside(self._rows.claim, sweep_id, base_url, make)
        except CapReachedError as error:
            self._rest(name, CAP_REST_S)
            self._capped.add(name)
            self._tell_once(name, f"sweep {sweep_id}: {no_more(error)}")
            return False
        self._capped.discard(name)
        if claimed is None:
            return False
        job, _ = claimed
        if job.is_moving:
            self._drive(job)
        return True

    async def _take_up(self) -> bool:
        """Drive the jobs that nobody works on; return whether any job that this client could drive is on its way."""
        reached, moving = self._reached(), False
        driven = {task.get_name() for tasks in self._driving.values() for task in tasks}
        for job in await self._client.store.aside(self._client.store.unfinished):
            if not job.is_moving or job.base_url not in reached:
                continue
            moving = True
            if job.id not in driven and self._may(job.base_url) and self._client.is_left_alone(job):
                self._drive(job)
        return moving

    def _drive(self, job: Job) -> None:
        tasks = self._driving.setdefault(job.base_url, set())
        task = asyncio.create_task(self._to_end(job), name=job.id)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _to_end(self, job: Job) -> None:
        try:
            job = await asyncio.shield(self._client.drive(job))
        except TransportError as error:
            self._rest(job.base_url, LONGEST_REST_S)
            self._tell_once(job.base_url, str(error))
            return
        except StoreError as error:  # the database is held, or a disk is full: the job is taken up again
            self._rest(job.base_url, CAP_REST_S)
            self._tell_of_database(error)
            return
        except VidnbError as error:
            self._rest(job.base_url, REFUSED_REST_S)
            self._say(f"job {job.id[:8]}: {error}")
            return
        self._told.discard(job.base_url)
        if job.state is State.DONE:
            self.done += 1
        else:
            self.failed += 1
            self._say(f"job {job.id[:8]} ({job.model}) {job.state}: {(job.error or {}).get('message', '')}")
            if job.state is State.FAILED and (job.error or {}).get("kind") in OURS:
                self._rest(job.base_url, REFUSED_REST_S)

    def _row(self, purse: str, cell: Mapping[str, Any]) -> tuple[Job, Reservation]:
        row = planned_of(cell).row(purse, self._client.store.utc())
        return self._client.claimed(row, accept_unknown_price=self._accepts)

    def _reached(self) -> dict[str, tuple[str, int]]:
        """Return where this client can send jobs: each service's name, and how many it works on at once."""
        found: dict[str, tuple[str, int]] = {}
        for name in providers.names():
            try:
                where = self._client.target(name)
            except ConfigError as error:
                self._tell_once(name, str(error))
                continue
            found[where.base_url] = name, self._client.at_once or where.provider.rates.in_flight
        return found

    def _may(self, *names: str) -> bool:
        now = self._client.clock.monotonic()
        return all(self._not_before.get(name, 0.0) <= now for name in names)

    def _rest(self, name: str, seconds: float) -> None:
        self._not_before[name] = self._client.clock.monotonic() + seconds

    def _tell_of_database(self, error: StoreError) -> None:
        self._rest(DATABASE, STEADY_S)
        self._tell_once(DATABASE, f"{str(error).rstrip('.')}. Nothing is lost; it is tried again.")

    def _tell_once(self, about: str, text: str) -> None:
        if about not in self._told:
            self._told.add(about)
            self._say(text)
