"""The verbs as coroutines: `AsyncClient`. Their sync face is in `verbs`.

A client belongs to one data folder. It validates, writes the row, hands the job to the engine and waits; when the wait
is interrupted, the job goes on. Asking again for the same recipe finds the same job, finished or not, at no cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

import httpx
from pydantic import SecretStr

from vidnb import catalog, display, params, providers
from vidnb.arguments import file_path, flag
from vidnb.catalog import DEFAULT_MODEL, words
from vidnb.client import addresses, arguments
from vidnb.client.budget import PROCESS, Budget, caps, checked_name, of_process
from vidnb.client.connections import Connections
from vidnb.client.home import home_of, whole_address, whole_path
from vidnb.client.price_reader import PriceReader
from vidnb.client.runners import Runners, forward
from vidnb.client.several import JobOrId, Several, each, listed
from vidnb.clip import Clip, request_in, request_of
from vidnb.clock import Clock, Sleep
from vidnb.display.differences import Difference, difference
from vidnb.errors import (
    CapReachedError,
    ConfigError,
    JobAmbiguousError,
    JobCancelledError,
    JobError,
    JobFailedError,
    JobTimeoutError,
    ParamsError,
    Problem,
    VidnbError,
)
from vidnb.files import Files, open_home
from vidnb.forking import free_locks, in_child
from vidnb.history import annotation, measuring
from vidnb.history.times import moment
from vidnb.importing import lightly
from vidnb.jobs import quotes
from vidnb.jobs.engine import Engine
from vidnb.jobs.intended import intended
from vidnb.jobs.lease import LEASE_S
from vidnb.jobs.ledger import Ledger, refusal
from vidnb.jobs.listing import converse
from vidnb.jobs.process import is_dead
from vidnb.net.target import Target
from vidnb.records import (
    KEEP,
    UNDER_WAY,
    Booked,
    Expectation,
    Job,
    Keep,
    MediaFile,
    Quote,
    Reservation,
    Spent,
    State,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd

    from vidnb.emulator import Emulator
    from vidnb.history.history import History
    from vidnb.store import Store

P = ParamSpec("P")
T = TypeVar("T")
Unsupported = Literal["error", "drop"]
UNSENT = (State.INTENDED, State.SUBMITTING)
UNKNOWN_PRICE_WAIT_S = 10.0
"""How many seconds `submit` waits under a cap in money until it is known what another job of unknown price cost."""
UNKNOWN_PRICE_LOOK_S = 0.1
"""How many seconds lie between two looks whether that is known by now."""


class Jobs(list[Job]):
    """Jobs, newest first; as the last value of a cell they show as a table."""

    def _repr_html_(self) -> str:
        return str(display.jobs_html(self))  # marimo takes no subclass of str


class AsyncClient:
    """The verbs as coroutines; use one client on one event loop.

    Args:
        home: the data folder; default `VIDNB_HOME`, else `vidnb-data` in the working directory.
        live: True makes a missing key an error, False emulates whatever keys there are; default `VIDNB_LIVE`, else a
            provider without a key is emulated.
        keys: keys by provider name; default `LEONARDO_API_KEY`, `ONEMIN_API_KEY`.
        emulator: the emulator to ask where there is no key; default one with its state in the data folder.
        max_in_flight: jobs of one account to have at the provider at once; default what the provider publishes.
        transport: an httpx transport below the retries, for every live target.
        sleep: how to wait between polls; default by the clock.
        clock: says what time it is and waits; default the machine's own. A `sleep` beside it is not asked.
        lease_s: how long a job stays in this client's hands after its last sign of life, before another process may
            take it up: long enough for what holds the machine or the database up at times.
        database_url: default `VIDNB_DATABASE_URL`, else SQLite in the data folder.
        files_url: default `VIDNB_FILES_URL`, else the data folder.
        purse: name of the purse from which this client's jobs are paid, shared by every kernel of the folder.
        budget_usd, budget_credits, budget_jobs: caps. With a purse they are written into it; without one they hold for
            this client alone. Credits are by provider: `{"1min": 500}`. `VIDNB_BUDGET_USD` holds for the process.

    Example:
        >>> async with vidnb.AsyncClient() as client:
        ...     clip = await client.generate("a koala in a meadow", seed=7)
    """

    def __init__(
        self,
        home: str | Path | None = None,
        *,
        live: bool | None = None,
        keys: Mapping[str, str] | None = None,
        emulator: Emulator | None = None,
        max_in_flight: int | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep | None = None,
        clock: Clock | None = None,
        lease_s: float = LEASE_S,
        database_url: str | None = None,
        files_url: str | None = None,
        purse: str | None = None,
        budget_usd: float | None = None,
        budget_credits: Mapping[str, float | None] | None = None,
        budget_jobs: int | None = None,
    ) -> None:
        self.home = home_of(home)
        self._connections = Connections(self.home, live=live, keys=keys, emulator=emulator, transport=transport)
        self._max_in_flight = max_in_flight
        self.clock = clock or Clock(sleep)
        self._lease_s = lease_s
        # Both may hold a password, which no repr shows.
        self._database_url = SecretStr(whole_address(database_url or os.environ.get("VIDNB_DATABASE_URL") or ""))
        self._files_url = SecretStr(str(whole_path(files_url or os.environ.get("VIDNB_FILES_URL")) or ""))
        given = {"usd": budget_usd, "credits": budget_credits, "jobs": budget_jobs}
        self._caps = caps(**{name: cap for name, cap in given.items() if cap is not None})  # type: ignore[arg-type]
        self._purse = checked_name(purse)
        self._private = f"client:{uuid.uuid4().hex[:12]}" if self._caps and purse is None else None
        self._runners = Runners(lambda: self.engine)
        self._transport = transport
        self._prices = PriceReader(lambda: self.store, transport)
        self._opening = threading.RLock()
        in_child(self._begin_anew)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.home}>"

    # -- generate ----------------------------------------------------------------------------------------------------

    async def generate(
        self,
        /,
        prompt: str | None = None,
        *,
        model: str = DEFAULT_MODEL,
        take: int | None = None,
        fresh: bool = False,
        timeout_s: float | None = 1800.0,
        unsupported: Unsupported = "error",
        purse: str | None = None,
        accept_unknown_price: bool = False,
        **values: Any,
    ) -> Clip:
        """Make a clip and return it; where the same recipe was made before, return that clip at no cost.

        Args:
            prompt: what to show; some models take none.
            model: id from `vidnb.models()`.
            take: index of a repeat of the same recipe (0, 1, 2 ...), for another sample of a model without a seed.
            fresh: make the next take, whatever exists.
            timeout_s: how long to wait; the job itself goes on. None waits for ever.
            unsupported: `drop` leaves out params that this model lacks and other models have.
            purse: name of the purse that it is paid from; default the client's.
            accept_unknown_price: send it although no cap can be held against its price.
            **values: params under vidnb's names; `vidnb.model(id)` lists them. Images may be a path, URL, bytes, PIL
                image, numpy array, or a frame of an earlier clip (`clip.last_frame`).

        Returns:
            The clip, playable as the last value of a cell.

        Raises:
            ParamsError: values that the model does not take; nothing was sent.
            BudgetError: it could pass a cap; nothing was sent.
            JobFailedError, JobCancelledError, JobAmbiguousError: the end of the job.
            JobTimeoutError: the wait ended, the job did not.
            ProviderError, TransportError: the service or the network is at fault.
            ConfigError, StoreError: a setting or the data folder is at fault.

        Example:
            >>> vidnb.generate("a koala and a cat in a meadow", model="leonardo/motion_2.0", seed=7)
        """
        wait_s = arguments.seconds(timeout_s)
        job = await self.submit(
            prompt, model=model, take=take, fresh=fresh, unsupported=unsupported, purse=purse,
            accept_unknown_price=accept_unknown_price, **values,
        )  # fmt: skip
        return await self.wait(job, wait_s)

    async def submit(
        self,
        /,
        prompt: str | None = None,
        *,
        model: str = DEFAULT_MODEL,
        take: int | None = None,
        fresh: bool = False,
        unsupported: Unsupported = "error",
        purse: str | None = None,
        accept_unknown_price: bool = False,
        **values: Any,
    ) -> Job:
        """Send a job and return it at once: like `generate`, but without waiting for the clip.

        Args:
            prompt: what to show; some models take none.
            model: id from `vidnb.models()`.
            take: index of a repeat of the same recipe.
            fresh: make the next take, whatever exists.
            unsupported: `drop` leaves out params that this model lacks and other models have.
            purse: name of the purse that it is paid from; default the client's.
            accept_unknown_price: send it although no cap can be held against its price.
            **values: params under vidnb's names.

        Returns:
            The job's row as it is now; `wait(job)` gives the clip.

        Raises:
            ParamsError: values that the model does not take; nothing was sent.
            BudgetError: it could pass a cap; nothing was sent.
            UnknownPriceError: a cap in money cannot be held against its price; nothing was sent.

        Example:
            >>> jobs = [vidnb.submit("a koala in a meadow", seed=seed) for seed in range(3)]
            >>> clips = [vidnb.wait(job) for job in jobs]
        """
        entry = catalog.find(arguments.name_of(model) or DEFAULT_MODEL)
        take, fresh = arguments.take_of(take), arguments.flag("fresh", fresh)
        accepted = arguments.flag("accept_unknown_price", accept_unknown_price)
        purse = checked_name(arguments.name_of(purse) or None) or self._purse
        if prompt is not None:
            values["prompt"] = prompt
        request = params.validate(entry, await addresses.fetched(entry, values), unsupported=unsupported)
        where = self.target(entry.provider)
        await self._check_can_send(entry, where)
        if self._prices.has_list(where) and (fresh or not await self._is_made(request, where, take)):
            await self._prices.wait(where)
        for item in (item for items in request.media.values() for item in items):
            if isinstance(item, MediaFile):
                self.files.put(item.content, "." + item.extension)
        job = await self._reserved(request, where, take, fresh, purse, accepted)
        self._runners.start(job)
        return job

    async def _check_can_send(self, entry: catalog.Model, where: Target) -> None:
        """Refuse a job that could not be sent as things stand, before there is a row; opens the data folder."""
        self._check_retired(entry, where)
        self._connections.prepare(where)
        await self._opened()
        if not where.emulated:
            self.files.check_lasting()

    async def _reserved(
        self, request: params.Request, where: Target, take: int | None, fresh: bool, purse: str | None, accepted: bool
    ) -> Job:
        """Return the job of a request, its price reserved; one of unknown price waits for such a job before it.

        Raises:
            BudgetError: a cap has no room for it, or the job before it took too long.
        """
        patient_until = self.clock.monotonic() + UNKNOWN_PRICE_WAIT_S
        while True:
            try:
                intend = functools.partial(self._intend, request, where, take, fresh, purse, accepted)
                job, is_new = await self.store.aside.together(intend)
            except CapReachedError as error:
                if error.ahead is None or self.clock.monotonic() >= patient_until:
                    raise refusal(error) from None
                await self.clock.wait(UNKNOWN_PRICE_LOOK_S)  # Leonardo says it in the reply to the submit
                continue
            if is_new:
                self.ledger.reserved(job)
            if is_new or not fresh:  # another process may have had the same next take a moment before
                return job

    def _reservation(self, job: Job, accepted: bool = False) -> Reservation:
        """Return what one POST of the job may cost, in every purse that it counts in here."""
        own = (job.purse, self._private, PROCESS if of_process() is not None else None)
        return self.ledger.reservation(job, tuple(name for name in own if name), accepted=accepted)

    def _intend(
        self, request: params.Request, where: Target, take: int | None, fresh: bool, purse: str | None, accepted: bool
    ) -> tuple[Job, bool]:
        """Return the job of a request, and whether it is new: written now, leased, its price reserved."""
        if fresh:
            take = self.store.next_take(where.base_url, request.recipe.recipe_hash)
        row = intended(
            request, take or 0, base_url=where.base_url, emulated=where.emulated, at=self.store.utc(), purse=purse
        )
        return self.store.intend(*self.claimed(row, accept_unknown_price=accepted))

    def _check_retired(self, entry: catalog.Model, where: Target) -> None:
        if entry.is_retired and not where.emulated:
            gone = words.retirement(entry).rstrip(".")
            raise ParamsError(entry.id, [Problem("model", entry.id, gone, "Without a key the emulator still plays it")])

    # -- wait --------------------------------------------------------------------------------------------------------

    @overload
    async def wait(self, job: JobOrId, timeout_s: float | None = 1800.0, *, quiet: bool = False) -> Clip: ...

    @overload
    async def wait(self, job: Several, timeout_s: float | None = 1800.0, *, quiet: bool = False) -> list[Clip]: ...

    async def wait(
        self, job: JobOrId | Several, timeout_s: float | None = 1800.0, *, quiet: bool = False
    ) -> Clip | list[Clip]:
        """Return the job's clip once it is there; of several jobs the list of their clips, in the same order.

        Args:
            job: a job, a clip or an id, or several of them.
            timeout_s: how long to wait in all; the jobs themselves go on. None waits for ever.
            quiet: show no progress meanwhile.

        Raises:
            JobFailedError, JobCancelledError, JobAmbiguousError: the end of the job.
            JobTimeoutError: the wait ended, the job did not.
            JobsError: some of several jobs have no clip; it is raised when all are at their end, and has the clips of
                the others.

        Example:
            >>> vidnb.wait("3f2a91c0")          # an id, or the first characters of one
            >>> vidnb.wait([vidnb.submit("a koala in a meadow", seed=seed) for seed in range(3)])
        """
        timeout_s = arguments.seconds(timeout_s)
        if not isinstance(job, Job | Clip | str):
            return await self._wait_for_all(listed(job), timeout_s, quiet)
        row = await self._followed(job)
        if quiet:
            return await self._wait(row, timeout_s, lambda row: None)
        with display.ProgressLine(row) as progress:
            try:
                return await self._wait(row, timeout_s, progress.update)
            except asyncio.CancelledError:
                display.say(f"Stopped waiting; the job goes on. vidnb.wait({row.id[:8]!r}) waits for it again.")
                raise

    async def _wait_for_all(self, jobs: list[JobOrId], timeout_s: float | None, quiet: bool) -> list[Clip]:
        rows = [await self._followed(job) for job in jobs]
        if quiet or not rows:
            return await each(rows, lambda row: self._wait(row, timeout_s, lambda row: None), "have no clip")
        with display.ProgressOfAll(rows) as progress:
            try:
                return await each(rows, lambda row: self._wait(row, timeout_s, progress.update), "have no clip")
            except asyncio.CancelledError:
                display.say(f"Stopped waiting for {len(rows)} jobs; they go on. vidnb.resume() waits for them again.")
                raise

    async def _wait(self, job: Job, timeout_s: float | None, on_change: Callable[[Job], None]) -> Clip:
        if job.state is State.DONE:
            return Clip(await self._complete(job), self.files)
        with self._runners.watching(job.id) as queue:
            runner = self._runners.start(job)
            forwarding = asyncio.create_task(forward(queue, on_change))
            try:
                # The runner is shared: whoever stops waiting must not stop the job.
                job = await asyncio.wait_for(asyncio.shield(runner), timeout_s)
            except TimeoutError as error:
                row = await self._newest(job)
                where = "it was not sent yet" if row.state is State.INTENDED else f"it goes on at {row.provider}"
                raise JobTimeoutError(
                    f"job {row.id[:8]} is still {row.state} after {timeout_s:g} s; {where}. "
                    f"vidnb.wait({row.id[:8]!r}) goes on waiting for it",
                    row,
                ) from error
            except asyncio.CancelledError:
                if not runner.cancelled() or _is_cancelled():
                    raise
                # Somebody else in this process ended the job, stopped its polls, or closed the client.
                await self._runners.decided(job.id)
                job = job if self.is_closed else await self._newest(job)
                if job.is_moving:
                    raise JobTimeoutError(
                        f"job {job.id[:8]} is {job.state}, and is no longer followed here: the waiting was stopped "
                        f"elsewhere in this process. vidnb.wait({job.id[:8]!r}) waits for it again",
                        job,
                    ) from None
            finally:
                forwarding.cancel()
        return self._clip_of(job)

    async def _complete(self, job: Job) -> Job:
        """The done job's row, its file fetched again where somebody deleted it and the service still has it."""
        clips = [job.clip, *job.outputs] if job.clip is not None else []
        if all([await asyncio.to_thread(self.files.exists, clip.sha256, ".mp4") for clip in clips]):
            return job
        try:
            return await self.engine.fetch_again(job)
        except VidnbError as error:
            display.say(f"job {job.id[:8]}: the file of its clip is gone and cannot be fetched again: {error}")
            return job

    def _clip_of(self, job: Job) -> Clip:
        if job.state is State.DONE:
            return Clip(job, self.files)
        short = f"job {job.id[:8]} ({job.model})"
        if job.state is State.CANCELLED:
            raise JobCancelledError(f"{short} was cancelled", job)
        if job.state is State.AMBIGUOUS and job.remote_id is not None:
            raise JobAmbiguousError(
                f"{short}: {(job.error or {}).get('message', '')}. Nothing is sent again by itself. Look in the web "
                f"app; vidnb.wait({job.id[:8]!r}) asks the service once more, and "
                f'vidnb.settle({job.id[:8]!r}, "give_up") ends the job',
                job,
            )
        if job.state is State.AMBIGUOUS:
            told = [step.note for step in self.store.events(job.id) if step.state is State.AMBIGUOUS and step.note]
            why = f" ({told[-1]})" if told else ""
            raise JobAmbiguousError(
                f"{short}: {job.provider} gave no usable reply to the submit{why}, and its list does not settle it. It "
                f"is not sent again by itself, as that could be paid twice. Look in the web app, then "
                f'vidnb.settle({job.id[:8]!r}, "send_again"), "give_up", or remote_id="..."',
                job,
            )
        error = job.error or {}
        known = {True: "charged", False: "not charged", None: "whether it was charged is not known"}
        charged = "emulated, not charged" if job.emulated else known[error.get("charged")]
        raise JobFailedError(
            f"{short} failed: {error.get('message', '')} ({charged}). {error.get('advice', '')}".strip(), job
        )

    async def watch(self, job: Job | str) -> AsyncIterator[Job]:
        """Yield the job's row now, and again after every change, until the job ends.

        Args:
            job: a job or its id.

        Example:
            >>> for row in vidnb.watch(job):
            ...     print(row.state, row.wire_status)
        """
        row = await self._newest(job)
        with self._runners.watching(row.id) as queue:
            self._runners.start(row)
            yield row
            while row.is_moving:
                row = await queue.get()
                yield row

    async def stop_waiting(self, job: Job | str) -> Job:
        """Stop polling a job in this process, and return its row. The job itself goes on; `resume` polls it again.

        Args:
            job: a job or its id.

        Example:
            >>> vidnb.stop_waiting(job)
        """
        row = await self._newest(job)
        if row.state is not State.SUBMITTING:  # its reply holds the job's id
            await self._runners.stop(row)
        return await self._newest(row)

    @overload
    async def cancel(self, job: JobOrId) -> Job: ...

    @overload
    async def cancel(self, job: Several) -> Jobs: ...

    async def cancel(self, job: JobOrId | Several) -> Job | Jobs:
        """Return the cancelled job's row; of several jobs the list of their rows, in the same order.

        A job that was not sent yet is simply dropped. At the service it is cancelled where the service can do that.

        Args:
            job: a job, a clip or an id, or several of them.

        Raises:
            JobError: the service has no way to cancel; the job goes on.
            JobsError: some of several jobs were not cancelled; each was tried.

        Example:
            >>> vidnb.cancel(job)
            >>> vidnb.cancel(vidnb.jobs(state="intended"))
        """
        if not isinstance(job, Job | Clip | str):
            rows = [await self._newest(one) for one in listed(job)]
            return Jobs(await each(rows, self._cancel, "were not cancelled"))
        return await self._cancel(await self._newest(job))

    async def _cancel(self, row: Job) -> Job:
        async with self._runners.deciding(row.id):
            return await self._taken_back(row)

    async def _taken_back(self, row: Job) -> Job:
        if row.state is State.INTENDED:
            await self.stop_waiting(row)
            row = await self._newest(row)
        if row.state is State.SUBMITTING:
            raise JobError(
                f"job {row.id[:8]} is being sent at this moment; cancel it again once {row.provider} has answered, or "
                "after vidnb.resume() where the process that sent it has ended",
                row,
            )
        if row.state is State.INTENDED:
            return await self._drop(row, booked=Booked.RETURNED)
        if row.state is State.AMBIGUOUS:
            return await self._drop(row)
        if row.is_terminal:
            return row
        wire = self._connections.wire_for(row)
        cancelling = wire.target.provider.cancel(row)
        if cancelling is None:
            raise JobError(
                f"job {row.id[:8]} was sent and cannot be taken back: {wire.target.provider.cancel_note}. "
                f"vidnb.stop_waiting({row.id[:8]!r}) only stops the waiting, and vidnb.settle({row.id[:8]!r}, "
                '"give_up") ends the job here, whatever the service still does',
                row,
            )
        status = await converse(wire.call, cancelling)
        if status.state is not State.CANCELLED:
            raise JobError(
                f"job {row.id[:8]} was not cancelled: {wire.target.provider.title} may still finish it, and charge for "
                f"it; vidnb.job({row.id[:8]!r}) tells what became of it",
                row,
            )
        row = await self.stop_waiting(row)
        told: dict[str, Any] = {} if status.cost is None else {"cost": status.cost}
        return row if row.is_terminal else await self._drop(row, **told)

    async def _drop(self, row: Job, **told: Any) -> Job:
        """Cancel the job and return its row; refused where it moved, or was sent again, since this row was read."""
        dropped = await self._aside(
            self.store.move, row.id, State.CANCELLED, expect=row.state, sent_at=row.submitted_at, **told
        )
        self._runners.changed(dropped)
        return dropped

    # -- take up again -----------------------------------------------------------------------------------------------

    async def resume(self, *, wait: bool = True, timeout_s: float | None = None) -> Jobs:
        """Go on with every unfinished job of the data folder, whichever process began it, and return them.

        Args:
            wait: wait until each is at its end (or ambiguous); else return at once.
            timeout_s: how long to wait in all.

        Returns:
            Their rows. A job that cannot go on here (no key, say) stays as it is, and a line says why.

        Example:
            >>> vidnb.resume(wait=False)        # after a restart of the kernel
        """
        timeout_s, rows, runners = arguments.seconds(timeout_s), [], []
        for row in await self._aside(self.store.unfinished):
            try:
                self._connections.wire_for(row)
            except ConfigError as error:
                display.say(f"job {row.id[:8]} ({row.model}) stays {row.state}: {error}")
            else:
                runners.append(self._runners.start(row))
            rows.append(row)
        if wait and runners:
            await asyncio.wait(runners, timeout=timeout_s)
            for runner in runners:
                if runner.done() and not runner.cancelled() and runner.exception() is not None:
                    display.say(f"a job could not go on: {runner.exception()}")
        return Jobs([await self._newest(row) for row in rows])

    async def reconcile(self, job: Job | str | None = None) -> Jobs:
        """Look for ambiguous jobs in the provider's list of recent jobs, and return them; those that are found go on.

        Args:
            job: one job or its id; default all ambiguous ones.

        Example:
            >>> vidnb.reconcile()
        """
        wanted = [await self._newest(job)] if job is not None else await self._aside(self.store.unfinished)
        rows = Jobs()
        for row in wanted:
            if row.state is State.AMBIGUOUS:
                row = await self.engine.reconcile(row)
                if row.state is not State.AMBIGUOUS:
                    self._runners.start(row)
                rows.append(row)
        return rows

    async def settle(
        self,
        job: Job | str,
        how: Literal["send_again", "give_up"] | None = None,
        *,
        remote_id: str | None = None,
        accept_unknown_price: bool = False,
    ) -> Job:
        """Decide what becomes of a job whose submit got no reply, and return its row.

        Args:
            job: a job or its id.
            how: `send_again` (it may then be paid twice) or `give_up`. A job on its way can be given up, too: the
                service may still finish it, and charge for it.
            remote_id: the job's id at the provider, as its web app shows it.
            accept_unknown_price: send it again although no cap can be held against its price.

        Raises:
            BudgetError: to send it again could pass a cap; nothing was sent.
            JobError: the job is not ambiguous, the service has no job of that id that can be this one, or it is to be
                sent again although the service is known to have it.
            TransportError, ProviderError: the service could not be asked about the id; nothing was changed.
            ValueError: neither or both of `how` and `remote_id` were given.

        Example:
            >>> vidnb.settle(job, "give_up")
            >>> vidnb.settle(job, remote_id="1f1a06db-37cd-6c60-9cac-182717e03f42")
        """
        row = await self._newest(job)
        _check_can_settle(row, job, how)
        if (how is None) == (remote_id is None) or how not in (None, "send_again", "give_up"):
            raise ValueError('say either "send_again" or "give_up", or remote_id="..."')
        if how == "give_up":
            given_up = await self._drop(row, note=f"given up by a person while it was {row.state}")
            await self._runners.stop(row)
            return given_up
        if how == "send_again":
            row = await self._send_again(row, arguments.flag("accept_unknown_price", accept_unknown_price))
        else:
            row = await self._attach(row, remote_id or "")
        self._runners.start(row)
        return row

    async def _send_again(self, row: Job, accepted: bool) -> Job:
        """Return the row of an ambiguous job that waits for one more POST, with that one's price reserved."""
        if row.remote_id is not None:
            raise JobError(
                f"{row.provider} has job {row.id[:8]} under the id {row.remote_id}, so sending it again would pay for "
                f"a second one. vidnb.wait({row.id[:8]!r}) asks the service once more, and "
                f'vidnb.settle({row.id[:8]!r}, "give_up") ends the job',
                row,
            )
        reservation = await self._aside(self._reservation, row, accepted)
        try:
            return await self._aside(
                self.store.move, row.id, State.INTENDED, expect=State.AMBIGUOUS, sent_at=row.submitted_at,
                note="sent again on a person's word", reservation=reservation,
            )  # fmt: skip
        except CapReachedError as error:
            raise refusal(error) from None

    async def _attach(self, row: Job, remote_id: str) -> Job:
        """Return the row of an ambiguous job with the id at the service that a person gave."""
        checked = await self.engine.vouch(row, remote_id)
        attached = await self._aside(self.store.attach, row.id, checked, "attached by a person")
        if attached is None:
            raise JobError(f"another job has the id {remote_id!r} already", row)
        return attached

    # -- say of it ---------------------------------------------------------------------------------------------------

    async def annotate(
        self,
        job: Job | Clip | str,
        *,
        rating: int | Keep | None = KEEP,
        tags: str | Iterable[str] | Keep | None = KEEP,
        note: str | Keep | None = KEEP,
    ) -> Job:
        """Set the rating, tags and note of a clip, and return its row; what is not given stays as it was.

        Args:
            job: a job, a clip, or an id.
            rating: 1 to 5; None takes it away.
            tags: all tags that the clip is to have, at most 50 of 60 characters; a comma parts two of them.
            note: at most 10,000 characters.

        Raises:
            ParamsError: a value is too long or out of range; nothing was changed.

        Example:
            >>> vidnb.annotate(clip, rating=5, tags=["keeper", "koala"], note="the light!")
            >>> vidnb.history(tag="keeper", rating=4)
        """
        row = await self._newest(job)
        if fields := annotation.checked(row.model, rating, tags, note):
            await self._aside(self.store.update, row.id, **fields)
            row = await self._newest(row)
            self._runners.changed(row)
        return row

    # -- ask before --------------------------------------------------------------------------------------------------

    def quote(
        self,
        /,
        prompt: str | None = None,
        *,
        model: str = DEFAULT_MODEL,
        take: int | None = None,
        fresh: bool = False,
        unsupported: Unsupported = "error",
        **values: Any,
    ) -> Quote:
        """What `generate` with the same arguments would cost, and how sure that is. Nothing is sent or uploaded.

        A clip that was made before and an emulated one cost nothing. For any other, the answer is what the same model,
        size, duration and inputs last cost in this data folder, else the catalogue's price, else "unknown". You may
        leave values out. A wrong value that does not change the price is no error here: `why` says that `generate`
        would refuse it.

        Args:
            prompt: what to show.
            model: id from `vidnb.models()`.
            take: index of a repeat of the same recipe.
            fresh: make the next take, whatever exists.
            unsupported: `drop` leaves out params that this model lacks and other models have.
            **values: params under vidnb's names. A picture behind an address is counted and not fetched, so the
                quote cannot tell whether the recipe was made before.

        Raises:
            ConfigError: there is no such model, or no key where `live` asks for one.

        Example:
            >>> vidnb.quote("a koala in a meadow", model="1min/kling", duration_s=10)
        """
        entry = catalog.find(arguments.name_of(model) or DEFAULT_MODEL)
        take, fresh = arguments.take_of(take), arguments.flag("fresh", fresh)
        where = self.target(entry.provider)
        if prompt is not None:
            values["prompt"] = prompt
        request, problems = params.draft(entry, addresses.unfetched(entry, values), unsupported=unsupported)
        if not problems and not fresh and not addresses.has_address(request):
            standing = self.store.standing(where.base_url, request.recipe.recipe_hash, take or 0)
            if standing is not None and (standing.state is not State.INTENDED or self._will_be_sent(standing)):
                return quotes.repeated(standing)
        if entry.is_retired and not where.emulated:
            return Quote(None, "unknown", words.retirement(entry))
        if (problem := quotes.wrong(entry, problems)) is not None:
            return Quote(None, "unknown", str(problem))
        if where.emulated:
            return quotes.doubted(quotes.EMULATED, problems)
        inputs = {name: len(items) for name, items in request.media.items()}
        self._prices.begin(where)
        return quotes.doubted(quotes.quote(self.store, entry.id, request.params, inputs), problems)

    def expect(self, job: Job | Clip | str) -> Expectation | None:
        """How long this data folder's other jobs of the same model, size and duration took; None where it has none.

        Args:
            job: a job or its id.

        Example:
            >>> expected = vidnb.expect(vidnb.submit("a koala in a meadow"))
        """
        return quotes.expectation(self.store, self.job(job))

    def spent(self, since: datetime | str | None = None) -> Spent:
        """Return what the real jobs of the data folder cost, by unit (`USD`, `CREDITS`); emulated ones cost nothing.

        A job of which the service does not say what it charges (1min never does) counts with what it is expected to
        cost, one on its way with the most that it can cost. `.settled`, `.reserved` and `.unclear` are the parts.

        Args:
            since: only jobs made then or later; a datetime, or text such as "2026-11-21".

        Raises:
            ConfigError: `since` is no time.

        Example:
            >>> vidnb.spent(since="2026-11-01").get("USD", 0.0)
        """
        return self.ledger.spent(moment(since, now=self.store.utc()))

    def budget(
        self,
        purse: str = "",
        *,
        usd: float | Keep | None = KEEP,
        credits: Mapping[str, float | None] | Keep | None = KEEP,
        jobs: int | Keep | None = KEEP,
        reset: bool = False,
    ) -> Budget:
        """Return the purses of the data folder with their caps and sums, after these changes.

        Caps hold in every kernel at once, and what was spent stays spent when a kernel dies.

        Args:
            purse: whose caps to change; default the folder's own, which holds for all its jobs.
            usd: the cap in US dollars; None lifts it.
            credits: caps in credits by provider, as in `{"1min": 500}`; a None in it lifts that one.
            jobs: the cap in number of jobs; None lifts it.
            reset: let the purse begin anew: what was spent so far no longer counts against its caps.

        Raises:
            ConfigError: a cap is no number of 0 or more, or there is no provider of that name.

        Example:
            >>> vidnb.budget(usd=20)                       # the folder
            >>> vidnb.budget("lesson-3", jobs=30)
            >>> vidnb.budget()
        """
        if purse:
            checked_name(purse)
        for provider in credits if isinstance(credits, Mapping) else ():
            providers.get(provider)
        if changed := caps(usd, credits, jobs):
            self.ledger.cap(purse, changed)
        if reset:
            self.ledger.forgive(purse)
        return Budget(self.ledger.purses())

    # -- read --------------------------------------------------------------------------------------------------------

    def job(self, job: Job | Clip | str) -> Job:
        """The newest row of a job.

        Args:
            job: a job, its id, or the first characters of it.

        Raises:
            StoreError: there is none, or several begin like that.

        Example:
            >>> vidnb.job("3f2a91c0").state
        """
        given = arguments.one_job(job)
        known = given.job if isinstance(given, Clip) else given
        return self.store.get(known.id) if isinstance(known, Job) else self.store.find(known)

    def clip(self, job: Job | Clip | str) -> Clip:
        """The clip of a done job.

        Args:
            job: a job, its id, or the first characters of it.

        Raises:
            StoreError: the job has no clip.

        Example:
            >>> vidnb.clip("3f2a91c0").path
        """
        return Clip(self.job(job), self.files)

    def clip_or_job(self, given: Job | Clip | str) -> Clip | Job:
        """Return the clip of a job that has one, else the job."""
        if isinstance(given, Clip):
            return given
        row = given if isinstance(given, Job) else self.job(given)
        return Clip(row, self.files) if row.clip is not None else row

    def _clips_or_jobs(self, given: Any) -> Iterator[Clip | Job]:
        """Yield the clips and jobs that were given, none of which is read before the first one is asked for."""
        for one in listed(given):
            yield self.clip_or_job(one)

    def request(self, job: Job | Clip | str | Path) -> dict[str, Any]:
        """Return the arguments with which `generate` makes a job again: prompt, params and inputs.

        It works for jobs without a clip, too; for a clip it is the same as `Clip.request`.

        Args:
            job: a job, its id, the first characters of it, or the `Path` of an MP4 that `clip.save(path, recipe=True)`
                wrote.

        Raises:
            StoreError: there is none, or somebody deleted an input's file.
            MediaError: the file is no video, or has no recipe in it.

        Example:
            >>> failed = vidnb.jobs(state="failed")[0]
            >>> vidnb.submit(model=failed.model, take=failed.take, **vidnb.request(failed))
        """
        if isinstance(job, Path):
            return request_in(job)
        return request_of(self.job(job), self.files)

    def diff(self, one: Job | Clip | str, other: Job | Clip | str) -> Difference:
        """Return in words what differs between two clips: recipe, lineage, and what was measured of them.

        Args:
            one: a job, a clip, or an id.
            other: the same.

        Raises:
            StoreError: there is no such job.

        Example:
            >>> print(vidnb.diff(history[0], history[1]))
            What differs: seed 3 → 7.
            The prompts are the same.
            motion: 31 → 23 % of height a second (-26%)
        """
        rows = [self.job(given) for given in (one, other)]
        found = [self.clip_or_job(row) for row in rows]
        hashes = [row.clip.sha256 if row.clip is not None else "" for row in rows]
        known = self.store.measures(filter(None, hashes))
        return difference(found[0], found[1], (known.get(hashes[0], {}), known.get(hashes[1], {})))

    def jobs(self, /, *, limit: int | None = 20, params: Mapping[str, Any] | None = None, **filters: Any) -> Jobs:
        """The newest jobs; shown as a table in a cell.

        Args:
            limit: how many at most; None for all.
            params: filters on params whose name is that of a column, too.
            **filters: as for `history`.

        Raises:
            ConfigError: a name or a value of a filter is not understood; the message says what there is.

        Example:
            >>> vidnb.jobs(state="failed", limit=5)
        """
        return Jobs(self.history(limit=limit, params=params, **filters).jobs)

    def history(
        self, /, *, limit: int | None = None, params: Mapping[str, Any] | None = None, **filters: Any
    ) -> History:
        """All jobs of the data folder as rows, newest first; `.df` is a pandas DataFrame.

        A filter is a column of `.df` or a param of any model, and takes one value, several (a list, a set, a range),
        a tuple of two for a range with both ends in it (None leaves one open), None for any, or `vidnb.MISSING` for
        jobs to which it was not given. `prompt` and `note` find a part of the text, `words` finds jobs with all of
        these words in prompt, note or tags, `tag` one of the tags, `rating=4` finds 4 or better. `since` and `until`
        take a datetime, text such as "2026-11-21", "2026-11" or "2026", or an age: "90m", "2h", "7d". A model may be
        named by its short name.

        Args:
            limit: how many of the newest; applied last.
            params: filters on params whose name is that of a column, too.
            **filters: see above.

        Returns:
            The rows; none is read before it is needed. `h.where(...)`, `h.sort(...)` and `h.newest(50)`
            narrow it down.

        Raises:
            ConfigError: a name or a value of a filter is not understood; the message says what there is.

        Example:
            >>> vidnb.history(prompt="lighthouse", motion_strength=(3, 7), since="2026-11-01")
            >>> vidnb.history(model="motion_2.0", seed=[1, 2, 3]).df[["seed", "wait_s"]]
        """
        from vidnb.history.history import History

        return History(self.store, self.files, limit=limit, params=params, **filters)

    async def measure(
        self,
        clips: History | Clip | Job | str | Iterable[Clip | Job | str],
        *,
        measures: Sequence[Any] | None = None,
        workers: int | None = None,
        executor: Executor | None = None,
    ) -> pd.DataFrame:
        """What clips measure, one row each: how much moves, flicker, sharpness, cuts, loudness and more.

        Each file is measured once; the values are kept and become columns of `vidnb.history().df`. `vidnb.measures()`
        says what each measure is. Needs `pip install 'vidnb[measure]'`.

        Args:
            clips: a history, a clip, a job or an id, or several; jobs without a clip are left out.
            measures: names, and functions of your own that take a clip and return a number (see
                `vidnb.history.scorers`); default all of `vidnb.measures()`.
            workers: processes to use; default as many as the machine has cores, none for a few clips.
            executor: any `concurrent.futures.Executor`, as Dask's `client.get_executor()`, to do the work instead.

        Returns:
            Columns `id`, `model`, `seed`, then the measures; empty where a clip has no such value.

        Raises:
            ConfigError: there is no such measure, or OpenCV is not installed.

        Example:
            >>> vidnb.measure(vidnb.history(prompt="koala"))[["seed", "motion", "flicker"]]
            >>> vidnb.measure(clip, measures=["motion", a_function_of_mine])
        """
        stopped = threading.Event()
        try:
            return await asyncio.to_thread(
                measuring.measure, self._clips_or_jobs(clips), self.store,
                measures=measures, workers=workers, executor=executor, stopped=stopped,
            )  # fmt: skip
        finally:
            stopped.set()

    async def open_bundle(self, path: str | Path, replay: bool = False) -> History:
        """Merge a bundle into the data folder, and return its jobs; see `History.bundle`.

        Everything in it is checked first: names, sizes, every file by its hash, every clip by decoding it. What is here
        already is left as it is. The jobs are marked as imported, and count neither in the ledger nor as takes.

        Args:
            path: of the bundle.
            replay: answer from the bundle from now on: whoever asks for the same recipe and take, of a service or of
                the emulator, gets the bundle's clip at no cost, labelled REPLAYED.

        Raises:
            ConfigError: that is no path of a file, or `replay` is neither True nor False.
            StoreError: it is no bundle, or something in it is not what it says; nothing was taken from it.

        Example:
            >>> vidnb.open_bundle("lighthouse.vidnb", replay=True)
            >>> vidnb.generate("a lighthouse", seed=7)      # the teacher's clip
        """
        await self._opened()
        from vidnb.history import bundle  # its models take longer to make than a history to open
        from vidnb.history.history import History

        archive, replays = file_path(path, bundle.EXAMPLE), flag("replay", replay)
        ids, new = await asyncio.to_thread(bundle.read, self.store, self.files, archive, replay=replays)
        known = f"; {len(ids) - new} were here already" if new < len(ids) else ""
        display.say(f"{archive.name}: {new} job{'s' if new != 1 else ''} came with it{known}.")
        return History.of(self.store, self.files, ids)

    # -- parts -------------------------------------------------------------------------------------------------------

    async def _opened(self) -> Engine:
        """Return what drives the jobs; the database, which may make one wait, was opened in a thread.

        Raises:
            ConfigError: the client was closed, or this process was forked inside a coroutine, whose event loop is the
                parent's.
        """
        self._runners.check_open()
        if not _has_loop():
            raise ConfigError(
                "this process was forked inside a coroutine, and the event loop of that is its parent's: nothing was "
                "sent from here. Fork outside of coroutines, or let the child begin with asyncio.run(...) and a client "
                "of its own, as multiprocessing's spawn does"
            )
        if "engine" not in self.__dict__:
            await asyncio.to_thread(self._open)
        return self.engine

    def _open(self) -> None:
        with self._opening:
            _ = self.engine

    def _begin_anew(self) -> object:
        """Start afresh in a forked child, with connections and jobs of its own; return the parent's, to be left alone.

        The purses stay the same: a cap holds for parent and children together.
        """
        free_locks(AsyncClient)
        self._opening = threading.RLock()
        parts = {name: self.__dict__.pop(name) for name in ("engine", "ledger", "files") if name in self.__dict__}
        left = parts, self._runners, self._prices, self._connections.begin_anew()
        self._runners = Runners(lambda: self.engine)
        self._prices = PriceReader(lambda: self.store, self._transport)
        return left

    async def _aside(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call that uses the store in another thread: a slow database does not hold up the event loop."""
        await self._opened()
        return await self.store.aside(call, *args, **kwargs)

    async def _newest(self, job: Job | Clip | str) -> Job:
        return await self._aside(self.job, job)

    async def _followed(self, job: Job | Clip | str) -> Job:
        """Return the row of a job to wait for; that of one which is driven here is known, and is not read again."""
        row = self._runners.row(job.id) if isinstance(job, Job) else None
        return row or await self._newest(job)

    @functools.cached_property
    def store(self) -> Store:
        """The rows."""
        with self._opening:
            open_home(self.home)
            with lightly():  # SQLAlchemy takes longer than all else of vidnb, so it comes when it is needed
                from vidnb.store import Store
            store = Store(self._database_url.get_secret_value() or self.home, clock=self.clock)
            store.aside.callers = lambda: len(self._runners)
            return store

    @functools.cached_property
    def files(self) -> Files:
        """The clips and inputs."""
        return Files(self._files_url.get_secret_value() or self.home / "files")

    @functools.cached_property
    def ledger(self) -> Ledger:
        """The count of money."""
        found = Ledger(self.store, functools.partial(display.say, warn=True))
        if self._caps:
            found.cap(self._purse or self._private or "", self._caps)
        if (cap := of_process()) is not None:
            found.cap(PROCESS, {"USD": cap})
        return found

    @functools.cached_property
    def engine(self) -> Engine:
        """What drives the jobs."""
        return Engine(
            self.store, self.files, self._connections.wire_for, on_change=self._runners.changed,
            ledger=self.ledger, in_flight=self._max_in_flight, lease_s=self._lease_s,
        )  # fmt: skip

    @property
    def emulator(self) -> Emulator:
        """The emulator that answers for providers without a key."""
        return self._connections.emulator

    def target(self, provider: str) -> Target:
        """Where this client sends the provider's requests, and whether a real service is there.

        Args:
            provider: its name.

        Raises:
            ConfigError: there is no such provider, or no key where `live` asks for one.
        """
        return self._connections.target(provider)

    def _will_be_sent(self, job: Job) -> bool:
        """Return whether a process that lives is about to send the job, so that a second request for it costs nothing.

        What a dead kernel left is sent by whoever asks for it next, who then pays for it.
        """
        now = self.store.shared_time.utc()
        leased = job.lease_owner is not None and job.lease_until is not None and job.lease_until > now
        return self.drives(job) or (leased and not is_dead(job.lease_owner or ""))

    def drives(self, job: Job) -> bool:
        """Whether this process works on the job: sends it, polls it or downloads its clip."""
        return job.id in self._runners

    def drive(self, job: Job) -> asyncio.Task[Job]:
        """Return the task that works on the job until it ends; it is started if this process has none for it."""
        return self._runners.start(job)

    def prepare(self, provider: str) -> None:
        """Start the emulator if it answers for the provider, so that a wrong setting is found before there is a job."""
        where = self.target(provider)
        self._connections.prepare(where)
        self._prices.begin(where)

    async def _is_made(self, request: params.Request, where: Target, take: int | None) -> bool:
        """Whether a job stands for the recipe and take, so that nothing more will be paid."""
        key = where.base_url, request.recipe.recipe_hash, take or 0
        return await self._aside(self.store.standing, *key) is not None

    def has_preview(self, job: Job) -> bool:
        """Return whether the service of a job shows how far a running one is."""
        return providers.get(job.provider).preview(job) is not None

    async def preview(self, job: Job) -> bytes | None:
        """Return a small picture of how far a running job is, or None where there is none at this moment."""
        row = await self._newest(job)
        return await self.engine.preview(row) if row.state is State.RUNNING and self.has_preview(row) else None

    async def await_prices(self, provider: str, *, patiently: bool = False) -> bool:
        """Wait until the provider's prices are up to date: its own price list is read first, where it has one.

        Args:
            provider: its name.
            patiently: wait for as long as that takes, and not for a few seconds only.

        Returns:
            Whether there was a list to wait for, so that a price may be another now.
        """
        return await self._prices.wait(self.target(provider), patiently=patiently)

    def claimed(self, row: Job, *, accept_unknown_price: bool = False) -> tuple[Job, Reservation]:
        """Return the job with a lease of this process, and the reservation for its POST; both are written next."""
        return self.engine.leases.with_lease(row), self._reservation(row, accept_unknown_price)

    def is_left_alone(self, job: Job) -> bool:
        """Return whether no process works on the unfinished job, as far as this one can tell."""
        return not self._will_be_sent(job)

    @property
    def at_once(self) -> int | None:
        """Jobs of one account to have at the service at once; None for what the provider publishes."""
        return self._max_in_flight

    @property
    def is_closed(self) -> bool:
        """True once it was closed."""
        return self._runners.is_closed

    @property
    def is_busy(self) -> bool:
        """True while this process drives any job."""
        return len(self._runners) > 0

    async def leave(self, timeout_s: float = 20.0) -> None:
        """Close once every submit that was begun has its reply, or the time is up.

        Args:
            timeout_s: how long to wait for that. What is not sent by then stays to be sent by `resume`.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while jobs := [await self._newest(job_id) for job_id in self._runners]:
                    await self._runners.stop_all([job.id for job in jobs if job.state not in UNSENT])
                    await self.clock.wait(0.05)
        await self.aclose()

    async def aclose(self) -> None:
        """Stop polling (the jobs go on), close connections and the database."""
        self._runners.is_closed = True
        await self._prices.aclose()
        await self._runners.stop_all()
        await self._connections.aclose()
        if "store" in self.__dict__:
            self.store.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _check_can_settle(row: Job, seen: Job | str, how: str | None) -> None:
    """Refuse to decide on a job that needs no decision, or that is not what the person saw of it any more.

    Args:
        row: the job as it is now.
        seen: the job or id that the person gave.
        how: what they decided.
    """
    ended_by_hand = how == "give_up" and row.state in UNDER_WAY
    if row.state is not State.AMBIGUOUS and not ended_by_hand:
        raise JobError(f"job {row.id[:8]} is {row.state}, there is nothing to settle", row)
    if not isinstance(seen, Job):
        return
    if seen.submitted_at not in (None, row.submitted_at):
        raise JobError(
            f"job {row.id[:8]} was sent again meanwhile, and nobody knows what became of that either; look at "
            f"vidnb.job({row.id[:8]!r}) before you decide",
            row,
        )
    if ended_by_hand and seen.state is State.AMBIGUOUS and seen.remote_id is None:
        raise JobError(
            f"job {row.id[:8]} was found at {row.provider} meanwhile and is {row.state}; its clip will come. "
            f'vidnb.settle({row.id[:8]!r}, "give_up") ends it all the same',
            row,
        )


def _is_cancelled() -> bool:
    """Whether the task that runs now was cancelled itself, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
