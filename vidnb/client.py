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
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from vidnb import _addresses, _annotation, catalog, display, params, providers, quotes
from vidnb._clip import Clip, request_of
from vidnb._history import History
from vidnb.catalog import DEFAULT_MODEL
from vidnb.engine import Engine, Sleep, is_dead
from vidnb.errors import (
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
from vidnb.files import Files, data_home, disk_errors, open_home
from vidnb.records import KEEP, Expectation, Job, Keep, MediaFile, Quote, State
from vidnb.store import Store, utcnow
from vidnb.transport import EMULATOR_KEY, Target, Wire, given_key, target

if TYPE_CHECKING:
    from vidnb.emulator import Emulator

P = ParamSpec("P")
T = TypeVar("T")

EMULATOR_SPEED = 30.0
"""How much quicker than the real services the emulator is, unless `VIDNB_EMULATOR_SPEED` says otherwise."""
Unsupported = Literal["error", "drop"]
FILTERS = ("state", "model", "provider", "prompt", "words", "seed", "since", "emulated", "rating", "tag")
UNSENT = (State.INTENDED, State.SUBMITTING)
_noticed: set[str] = set()


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
        sleep: how to wait between polls; tests pass their own.
        database_url: default `VIDNB_DATABASE_URL`, else SQLite in the data folder.
        files_url: default `VIDNB_FILES_URL`, else the data folder.

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
        sleep: Sleep = asyncio.sleep,
        database_url: str | None = None,
        files_url: str | None = None,
    ) -> None:
        self.home = Path(home) if home is not None else data_home()
        self._live = live
        for name in keys or {}:
            providers.get(name)  # a misspelt one would be emulated instead
        self._keys = {name: SecretStr(key) for name, key in (keys or {}).items()}
        self._emulator = emulator
        self._max_in_flight = max_in_flight
        self._transport = transport
        self._sleep = sleep
        self._database_url = database_url or os.environ.get("VIDNB_DATABASE_URL")
        self._files_url = files_url or os.environ.get("VIDNB_FILES_URL")
        self._wires: dict[tuple[str, str, str], Wire] = {}
        self._runners: dict[str, asyncio.Task[Job]] = {}
        self._watchers: dict[str, list[asyncio.Queue[Job]]] = {}
        self._opening = threading.Lock()

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
        **values: Any,
    ) -> Clip:
        """The clip for a prompt and params: made now, or the one that this recipe made before.

        Args:
            prompt: what to show; some models take none.
            model: id from `vidnb.models()`.
            take: index of a repeat of the same recipe (0, 1, 2 ...), for another sample of a model without a seed.
            fresh: make the next take, whatever exists.
            timeout_s: how long to wait; the job itself goes on. None waits for ever.
            unsupported: `drop` leaves out params that this model lacks and other models have.
            **values: params under vidnb's names; `vidnb.model(id)` lists them. Images may be a path, URL, bytes, PIL
                image, numpy array, or a frame of an earlier clip (`clip.last_frame`).

        Returns:
            The clip, playable as the last value of a cell.

        Raises:
            ParamsError: values that the model does not take; nothing was sent.
            JobFailedError, JobCancelledError, JobAmbiguousError: the end of the job.
            JobTimeoutError: the wait ended, the job did not.
            ProviderError, TransportError, ConfigError, StoreError: as they say.

        Example:
            >>> vidnb.generate("a koala and a cat in a meadow", model="leonardo/motion_2.0", seed=7)
        """
        job = await self.submit(
            prompt, model=model, take=take, fresh=fresh, unsupported=unsupported, **values
        )  # fmt: skip
        return await self.wait(job, timeout_s)

    async def submit(
        self,
        /,
        prompt: str | None = None,
        *,
        model: str = DEFAULT_MODEL,
        take: int | None = None,
        fresh: bool = False,
        unsupported: Unsupported = "error",
        **values: Any,
    ) -> Job:
        """The job for a prompt and params, on its way: like `generate`, without waiting for the clip.

        Args:
            prompt: what to show; some models take none.
            model: id from `vidnb.models()`.
            take: index of a repeat of the same recipe.
            fresh: make the next take, whatever exists.
            unsupported: `drop` leaves out params that this model lacks and other models have.
            **values: params under vidnb's names.

        Returns:
            The job's row as it is now; `wait(job)` gives the clip.

        Raises:
            ParamsError: values that the model does not take; nothing was sent.

        Example:
            >>> jobs = [vidnb.submit("a koala in a meadow", seed=seed) for seed in range(3)]
            >>> clips = [vidnb.wait(job) for job in jobs]
        """
        entry = catalog.find(model)
        if prompt is not None:
            values["prompt"] = prompt
        request = params.validate(entry, await _addresses.fetched(entry, values), unsupported=unsupported)
        where = self.target(entry.provider)
        self._check_retired(entry, where)
        if where.in_process:
            _ = self.emulator  # a wrong setting is refused before there is a row
            _notice(where)
        for items in request.media.values():
            for item in items:
                if isinstance(item, MediaFile):
                    self.files.put(item.content, "." + item.extension)
        while True:
            job, is_new = self.store.intend(self.engine.leased(self._row(request, where, take, fresh)))
            if is_new or not fresh:  # another process may have had the same next take a moment before
                break
        self._start(job)
        return job

    def _row(self, request: params.Request, where: Target, take: int | None, fresh: bool) -> Job:
        recipe = request.recipe
        if fresh:
            take = self.store.next_take(where.base_url, recipe.recipe_hash)
        return Job(
            id=uuid.uuid4().hex, provider=request.model.provider, model=request.model.id,
            recipe_hash=recipe.recipe_hash,
            take=take or 0, state=State.INTENDED, params=recipe.params, images=recipe.images, dropped=request.dropped,
            emulated=where.emulated, base_url=where.base_url, created_at=utcnow(),
        )  # fmt: skip

    def _check_retired(self, entry: catalog.Model, where: Target) -> None:
        if entry.is_retired and not where.emulated:
            instead = f"; the vendor names {entry.replacement} instead" if entry.replacement else ""
            allowed = f"the model is out of service since {entry.retired_on or 'some time'}{instead}"
            raise ParamsError(
                entry.id, [Problem("model", entry.id, allowed, "without a key the emulator still plays it")]
            )

    # -- wait --------------------------------------------------------------------------------------------------------

    async def wait(self, job: Job | Clip | str, timeout_s: float | None = 1800.0, *, quiet: bool = False) -> Clip:
        """The job's clip, once it is there.

        Args:
            job: a job or its id.
            timeout_s: how long to wait; the job itself goes on. None waits for ever.
            quiet: show no progress meanwhile.

        Raises:
            JobFailedError, JobCancelledError, JobAmbiguousError: the end of the job.
            JobTimeoutError: the wait ended, the job did not.

        Example:
            >>> vidnb.wait("3f2a91c0")          # an id, or the first characters of one
        """
        row = self.job(job)
        if quiet:
            return await self._wait(row, timeout_s, lambda row: None)
        with display.Progress(row) as progress:
            try:
                return await self._wait(row, timeout_s, progress.update)
            except asyncio.CancelledError:
                display.say(f"Stopped waiting; the job goes on. vidnb.wait({row.id[:8]!r}) waits for it again.")
                raise

    async def _wait(self, job: Job, timeout_s: float | None, on_change: Callable[[Job], None]) -> Clip:
        if job.state is State.DONE:
            return Clip(await self._complete(job), self.files)
        queue = self._subscribe(job.id)
        runner = self._start(job)
        forward = asyncio.create_task(_forward(queue, on_change))
        try:
            # The runner is shared: whoever stops waiting must not stop the job.
            job = await asyncio.wait_for(asyncio.shield(runner), timeout_s)
        except TimeoutError as error:
            row = self.store.get(job.id)
            where = "it was not sent yet" if row.state is State.INTENDED else f"it goes on at {row.provider}"
            raise JobTimeoutError(
                f"job {row.id[:8]} is still {row.state} after {timeout_s:g} s; {where}. "
                f"vidnb.wait({row.id[:8]!r}) waits on, vidnb.resume() takes up every unfinished job",
                row,
            ) from error
        finally:
            forward.cancel()
            self._unsubscribe(job.id, queue)
        return self._clip_of(job)

    async def _complete(self, job: Job) -> Job:
        """The done job's row, its file fetched again where somebody deleted it and the service still has it."""
        if job.clip is None or await asyncio.to_thread(self.files.exists, job.clip.sha256, ".mp4"):
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
        if job.state is State.AMBIGUOUS:
            raise JobAmbiguousError(
                f"{short}: {job.provider} gave no usable reply to the submit and its list does not settle it. It "
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
        """The job's row now and after every change, until its end.

        Args:
            job: a job or its id.

        Example:
            >>> for row in vidnb.watch(job):
            ...     print(row.state, row.wire_status)
        """
        row = self.job(job)
        queue = self._subscribe(row.id)
        self._start(row)
        try:
            yield row
            while row.is_moving:
                row = await queue.get()
                yield row
        finally:
            self._unsubscribe(row.id, queue)

    async def stop_waiting(self, job: Job | str) -> Job:
        """The job's row; this process no longer polls it. The job goes on, and `resume` takes it up again.

        Args:
            job: a job or its id.

        Example:
            >>> vidnb.stop_waiting(job)
        """
        row = self.job(job)
        runner = self._runners.pop(row.id, None)
        if runner is not None and row.state is not State.SUBMITTING:
            runner.cancel()
            await asyncio.wait([runner])
        return self.store.get(row.id)

    async def cancel(self, job: Job | str) -> Job:
        """The cancelled job's row.

        A job that was not sent yet is simply dropped. At the service it is cancelled where the service can do that.

        Args:
            job: a job or its id.

        Raises:
            JobError: the service has no way to cancel; the job goes on.

        Example:
            >>> vidnb.cancel(job)
        """
        row = self.job(job)
        if row.state is State.INTENDED:
            await self.stop_waiting(row)
            row = self.store.get(row.id)
        if row.state in (State.INTENDED, State.AMBIGUOUS):
            return self.store.move(row.id, State.CANCELLED, done_at=utcnow())
        if row.is_terminal:
            return row
        wire = self._wire_for(row)
        call = wire.target.provider.cancel(row.remote_id or "")
        if call is None:
            raise JobError(
                f"job {row.id[:8]} was sent and cannot be taken back: {wire.target.provider.cancel_note}. "
                f"vidnb.stop_waiting({row.id[:8]!r}) only stops the waiting",
                row,
            )
        reply = await wire.call(call)
        if reply.status_code >= 400:
            raise wire.target.provider.explain(reply)
        await self.stop_waiting(row)
        return self.store.move(row.id, State.CANCELLED, done_at=utcnow())

    # -- take up again -----------------------------------------------------------------------------------------------

    async def resume(self, *, wait: bool = True, timeout_s: float | None = None) -> Jobs:
        """All unfinished jobs of the data folder, taken up again, whichever process began them.

        Args:
            wait: wait until each is at its end (or ambiguous); else return at once.
            timeout_s: how long to wait in all.

        Returns:
            Their rows. A job that cannot go on here (no key, say) stays as it is, and a line says why.

        Example:
            >>> vidnb.resume(wait=False)        # after a restart of the kernel
        """
        rows, runners = [], []
        for row in self.store.unfinished():
            try:
                self._wire_for(row)
            except ConfigError as error:
                display.say(f"job {row.id[:8]} ({row.model}) stays {row.state}: {error}")
            else:
                runners.append(self._start(row))
            rows.append(row)
        if wait and runners:
            await asyncio.wait(runners, timeout=timeout_s)
            for runner in runners:
                if runner.done() and not runner.cancelled() and runner.exception() is not None:
                    display.say(f"a job could not go on: {runner.exception()}")
        return Jobs(self.store.get(row.id) for row in rows)

    async def reconcile(self, job: Job | str | None = None) -> Jobs:
        """The ambiguous jobs after a look into the provider's list of recent jobs; those found there go on.

        Args:
            job: one job or its id; default all ambiguous ones.

        Example:
            >>> vidnb.reconcile()
        """
        wanted = [self.job(job)] if job is not None else self.store.unfinished()
        rows = Jobs()
        for row in wanted:
            if row.state is State.AMBIGUOUS:
                row = await self.engine.reconcile(row)
                if row.state is not State.AMBIGUOUS:
                    self._start(row)
                rows.append(row)
        return rows

    async def settle(
        self, job: Job | str, how: Literal["send_again", "give_up"] | None = None, *, remote_id: str | None = None
    ) -> Job:
        """The ambiguous job's row after a person's decision.

        Args:
            job: a job or its id.
            how: `send_again` (it may then be paid twice) or `give_up`.
            remote_id: the job's id at the provider, as its web app shows it.

        Raises:
            JobError: the job is not ambiguous.
            ValueError: neither or both of `how` and `remote_id` were given.

        Example:
            >>> vidnb.settle(job, "give_up")
            >>> vidnb.settle(job, remote_id="1f1a06db-37cd-6c60-9cac-182717e03f42")
        """
        row = self.job(job)
        if row.state is not State.AMBIGUOUS:
            raise JobError(f"job {row.id[:8]} is {row.state}, there is nothing to settle", row)
        if (how is None) == (remote_id is None) or how not in (None, "send_again", "give_up"):
            raise ValueError('say either "send_again" or "give_up", or remote_id="..."')
        if how == "give_up":
            return self.store.move(row.id, State.CANCELLED, done_at=utcnow(), note="given up by a person")
        if how == "send_again":
            row = self.store.move(row.id, State.INTENDED, note="sent again on a person's word")
        else:
            attached = self.store.attach(row.id, (remote_id or "").strip(), "attached by a person")
            if attached is None:
                raise JobError(f"another job has the id {remote_id!r} already", row)
            row = attached
        self._start(row)
        return row

    # -- say of it ---------------------------------------------------------------------------------------------------

    async def annotate(
        self,
        job: Job | Clip | str,
        *,
        rating: int | Keep | None = KEEP,
        tags: str | Iterable[str] | Keep | None = KEEP,
        note: str | Keep | None = KEEP,
    ) -> Job:
        """The job's row with a person's rating, tags and note; what is not given stays. The recipe stays what it is.

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
        row = self.job(job)
        if fields := _annotation.checked(row.model, rating, tags, note):
            self.store.update(row.id, **fields)
            row = self.store.get(row.id)
            self._changed(row)
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

        It is nothing for what was made before and for what is emulated; else what the same model, size, duration and
        inputs were last charged in this data folder; else the catalogue's price; else unknown. Values may be missing.

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
        entry = catalog.find(model)
        where = self.target(entry.provider)
        if prompt is not None:
            values["prompt"] = prompt
        request, problems = params.draft(entry, _addresses.unfetched(entry, values), unsupported=unsupported)
        if not problems and not fresh and not _addresses.has_address(request):
            standing = self.store.standing(where.base_url, request.recipe.recipe_hash, take or 0)
            if standing is not None and (standing.state is not State.INTENDED or self._will_be_sent(standing)):
                return quotes.repeated(standing)
        if where.emulated:
            return quotes.EMULATED
        if entry.is_retired:
            return Quote(None, "unknown", "the model is out of service")
        if (problem := quotes.wrong(entry, problems)) is not None:
            return Quote(None, "unknown", str(problem))
        inputs = {name: len(items) for name, items in request.media.items()}
        return quotes.price(self.store, entry.id, request.params, inputs)

    def expect(self, job: Job | Clip | str) -> Expectation | None:
        """How long this data folder's other jobs of the same model, size and duration took; None where it has none.

        Args:
            job: a job or its id.

        Example:
            >>> expected = vidnb.expect(vidnb.submit("a koala in a meadow"))
        """
        return quotes.expectation(self.store, self.job(job))

    def spent(self, since: datetime | str | None = None) -> Mapping[str, float]:
        """What the real jobs of the data folder cost, by unit (`USD`, `CREDITS`); emulated ones cost nothing.

        A job of which the service does not say what it charges (1min never does), or not yet, counts with what it is
        expected to cost.

        Args:
            since: only jobs sent then or later; a datetime, or text such as "2026-11-21".

        Raises:
            ConfigError: `since` is no time.

        Example:
            >>> vidnb.spent(since="2026-11-01").get("USD", 0.0)
        """
        return quotes.spent(self.store, _filters({"since": since})["since"])

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
        known = job.job if isinstance(job, Clip) else job
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

    def request(self, job: Job | Clip | str) -> dict[str, Any]:
        """The recipe of any job as arguments, inputs and all, as `Clip.request` is of a done one.

        Args:
            job: a job, its id, or the first characters of it.

        Raises:
            StoreError: there is none, or somebody deleted an input's file.

        Example:
            >>> failed = vidnb.jobs(state="failed")[0]
            >>> vidnb.submit(model=failed.model, take=failed.take, **vidnb.request(failed))
        """
        return request_of(self.job(job), self.files)

    def jobs(self, /, *, limit: int | None = 20, **filters: Any) -> Jobs:
        """The newest jobs; shown as a table in a cell.

        Args:
            limit: how many at most; None for all.
            **filters: `state`, `model`, `provider`, `seed`, `tag` (one or several each), `prompt` (a part of it),
                `words` (a part of the prompt or the note, or the beginning of a tag), `since` (a datetime, or text such
                as "2026-11-21"), `emulated`, `rating` (that one or better).

        Raises:
            ConfigError: there is no such filter, or `since` is no time.

        Example:
            >>> vidnb.jobs(state="failed", limit=5)
        """
        return Jobs(self.store.jobs(limit=limit, **_filters(filters)))

    def history(self, /, *, limit: int | None = 1000, **filters: Any) -> History:
        """All jobs of the data folder as rows; `.df` is a pandas DataFrame.

        Args:
            limit: how many of the newest; None for all.
            **filters: `state`, `model`, `provider`, `seed`, `tag` (one or several each), `prompt` (a part of it),
                `words` (a part of the prompt or the note, or the beginning of a tag), `since` (a datetime, or text such
                as "2026-11-21"), `emulated`, `rating` (that one or better).

        Raises:
            ConfigError: there is no such filter, or `since` is no time.

        Example:
            >>> vidnb.history(prompt="koala").df[["model", "seed", "cost_usd", "wait_s"]]
        """
        return History(self.store, self.files, limit=limit, **_filters(filters))

    # -- parts -------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def store(self) -> Store:
        """The rows."""
        with self._opening:
            open_home(self.home)
            return Store(self._database_url or self.home)

    @functools.cached_property
    def files(self) -> Files:
        """The clips and inputs."""
        return Files(self._files_url or self.home / "files")

    @functools.cached_property
    def engine(self) -> Engine:
        """What drives the jobs."""
        return Engine(
            self.store, self.files, self._wire_for, sleep=self._sleep, on_change=self._changed,
            in_flight=self._max_in_flight,
        )  # fmt: skip

    @functools.cached_property
    def emulator(self) -> Emulator:
        """The emulator that answers for providers without a key."""
        if self._emulator is not None:
            return self._emulator
        from vidnb.emulator import Emulator

        with disk_errors(self.home):
            return Emulator(self.home / "emulator", speed=_emulator_speed())

    def target(self, provider: str) -> Target:
        """Where this client sends the provider's requests, and whether a real service is there.

        Args:
            provider: its name.

        Raises:
            ConfigError: there is no such provider, or no key where `live` asks for one.
        """
        return target(providers.get(provider), live=self._live, key=self._key(provider))

    def _key(self, provider: str) -> str | None:
        """The key that was given to this client, for as long as a call needs it."""
        key = self._keys.get(provider)
        return key.get_secret_value() if key else None

    def _wire_for(self, job: Job) -> Wire:
        """The connection over which a job was, or will be, submitted."""
        provider = providers.get(job.provider)
        if job.emulated:
            key = given_key(provider, self._key(job.provider)) if urlsplit(job.base_url).port else None
            where = Target(provider, job.base_url, SecretStr(key or EMULATOR_KEY), True)
        else:
            where = target(provider, live=True, key=self._key(job.provider))
            if where.base_url != job.base_url:
                raise ConfigError(
                    f"it was sent to {urlsplit(job.base_url).hostname}; {provider.base_url_env} points elsewhere now"
                )
        slot = (where.provider.name, where.base_url, where.account)
        if slot not in self._wires:
            self._wires[slot] = Wire(where, self._in_process() if where.in_process else self._transport)
        return self._wires[slot]

    def _in_process(self) -> httpx.AsyncBaseTransport:
        from vidnb.emulator import StreamingASGITransport

        return StreamingASGITransport(self.emulator.app)

    def _start(self, job: Job) -> asyncio.Task[Job]:
        """The task that drives the job; one for all who wait."""
        runner = self._runners.get(job.id)
        if runner is None or (runner.done() and not job.is_terminal):
            runner = self._runners[job.id] = asyncio.create_task(self.engine.run(job), name=f"vidnb job {job.id[:8]}")
            runner.add_done_callback(lambda done: self._ended(job.id, done))
        return runner

    def _ended(self, job_id: str, runner: asyncio.Task[Job]) -> None:
        # A task nobody waits for must not complain of its error at exit; the row and the log have it.
        if not runner.cancelled() and runner.exception() is not None:
            display.log.warning("job %s: %s", job_id[:8], runner.exception())
        if self._runners.get(job_id) is runner:
            del self._runners[job_id]

    def _changed(self, job: Job) -> None:
        for queue in self._watchers.get(job.id, ()):
            queue.put_nowait(job)

    def _subscribe(self, job_id: str) -> asyncio.Queue[Job]:
        queue: asyncio.Queue[Job] = asyncio.Queue()
        self._watchers.setdefault(job_id, []).append(queue)
        return queue

    def _unsubscribe(self, job_id: str, queue: asyncio.Queue[Job]) -> None:
        queues = self._watchers.get(job_id, [])
        if queue in queues:
            queues.remove(queue)
        if not queues:
            self._watchers.pop(job_id, None)

    def _will_be_sent(self, job: Job) -> bool:
        """Whether somebody is about to send the job; what a dead kernel left, whoever asks next sends and pays."""
        leased = job.lease_owner is not None and job.lease_until is not None and job.lease_until > utcnow()
        return self.drives(job) or (leased and not is_dead(job.lease_owner or ""))

    def drives(self, job: Job) -> bool:
        """Whether this process works on the job: sends it, polls it or downloads its clip."""
        return job.id in self._runners

    @property
    def is_busy(self) -> bool:
        """True while this process drives any job."""
        return bool(self._runners)

    async def leave(self, timeout_s: float = 20.0) -> None:
        """Nothing; close once every submit that was begun has been sent and answered, or the time is up.

        Args:
            timeout_s: how long to wait for that. What is not sent by then stays to be sent by `resume`.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while any(self.store.get(i).state in UNSENT for i in self._runners):  # noqa: ASYNC110  # rows tell
                    await asyncio.sleep(0.05)
        await self.aclose()

    async def aclose(self) -> None:
        """Stop polling (the jobs go on), close connections and the database."""
        runners = list(self._runners.values())
        for runner in runners:
            runner.cancel()
        if runners:
            await asyncio.wait(runners)
        for wire in self._wires.values():
            await wire.aclose()
        if "store" in self.__dict__:
            self.store.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _emulator_speed() -> float:
    given = os.environ.get("VIDNB_EMULATOR_SPEED") or str(EMULATOR_SPEED)
    try:
        if (speed := float(given)) > 0:
            return speed
    except ValueError:
        pass
    raise ConfigError(f"VIDNB_EMULATOR_SPEED={given!r} is no number above 0; 30 is usual, 1 is as slow as the services")


def _filters(given: Mapping[str, Any]) -> dict[str, Any]:
    """The filters, checked; `since` may be ISO text, in local time where it names no zone."""
    unknown = set(given) - set(FILTERS)
    if unknown:
        raise ConfigError(f"there is no filter {', '.join(map(repr, sorted(unknown)))}; there are {', '.join(FILTERS)}")
    found = dict(given)
    if isinstance(since := found.get("since"), str | date):
        try:
            found["since"] = datetime.fromisoformat(str(since)).astimezone(UTC)
        except ValueError as error:
            raise ConfigError(f"since={since!r} is no time; write it as 2026-11-21 or 2026-11-21T09:30") from error
    return found


async def _forward(queue: asyncio.Queue[Job], on_change: Callable[[Job], None]) -> None:
    while True:
        on_change(await queue.get())


def _notice(where: Target) -> None:
    """Say once a process that a provider is emulated."""
    name = where.provider.name
    if name not in _noticed:
        _noticed.add(name)
        display.say(
            f"No {where.provider.key_env}: the built-in emulator answers for {where.provider.title}. "
            "Its clips cost nothing and say EMULATED."
        )
