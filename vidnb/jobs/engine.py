"""The life of a job, written once and async: submit, poll, download.

`jobs` is the only room that holds both a provider and a transport. The promises that it keeps:

- the row is written before the POST, and the POST is sent once: again only where nothing can have been received, or
  after a plain 429;
- a lost reply makes the job `ambiguous`; `reconcile` looks for it in the provider's own list, or a person decides;
- a timeout, an unknown status word or a network failure while polling means "still running", never "failed";
- the clip is fetched the moment the job completes, verified as video and stored under its hash;
- any process may take up any unfinished job, and a lease keeps two of them from doing so at once.

Here a job is driven and submitted; `poll`, `download` and `reconcile` do what their names say, `lease` says who works
on a job, `recorder` writes its row.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from vidnb import catalog
from vidnb.errors import (
    IllegalTransitionError,
    NotSentError,
    ProviderError,
    RateLimitError,
    RejectedError,
    StoreError,
    TransportError,
    UnavailableError,
    UnexpectedReplyError,
    VidnbError,
)
from vidnb.files import Files
from vidnb.jobs.download import Downloader
from vidnb.jobs.lanes import Lane, Lanes
from vidnb.jobs.lease import LEASE_S, Leases
from vidnb.jobs.ledger import Ledger
from vidnb.jobs.listing import converse
from vidnb.jobs.poll import Poller, doubted
from vidnb.jobs.reconcile import Reconciler
from vidnb.jobs.recorder import Recorder
from vidnb.media import recordings
from vidnb.net.wire import Wire
from vidnb.providers.replies import UNDECIDED, sounds_lost
from vidnb.records import Booked, Call, Job, Link, RemoteMedia, State, Status, with_job

if TYPE_CHECKING:
    from vidnb.store import Store

log = logging.getLogger("vidnb")

REPLY_S = 15.0
UPLOAD_TRIES = 6
LONGEST_RETRY_AFTER_S = 600.0
WRITE_TRIES = 6
PLACE_FOR_S = 1.0
"""How many seconds a folder that took a file is trusted to take the next one."""


class Engine:
    """Drives jobs to their end for one data folder.

    Args:
        store: the rows; its clock is the engine's, too.
        files: the clips and inputs.
        wire_for: the connection for a job's provider, or ConfigError where there is no key for it.
        on_change: called with the new row after every change.
        ledger: the count of money.
        lease_s: how long a lease lasts; it is renewed four times as often.
        in_flight: jobs of one key to have at the service at once; None for what the provider publishes.
    """

    def __init__(
        self,
        store: Store,
        files: Files,
        wire_for: Callable[[Job], Wire],
        *,
        on_change: Callable[[Job], None] = lambda job: None,
        ledger: Ledger | None = None,
        lease_s: float = LEASE_S,
        in_flight: int | None = None,
    ) -> None:
        self.store = store
        self.leases = Leases(store, lease_s)
        self._ledger = ledger or Ledger(store)
        self._files = files
        self._clock = store.clock
        self._aside = store.aside
        self._lanes = Lanes(wire_for, store, in_flight)
        self._recorder = Recorder(store, self._ledger, on_change)
        self._poller = Poller(self._recorder)
        self._downloader = Downloader(self._recorder, files, self._poller)
        self._reconciler = Reconciler(self._recorder, self._lanes, self._poller)
        self._place_checked_at = float("-inf")
        self._uploads: dict[str, asyncio.Lock] = {}
        self._links: dict[str, Link] = {}
        self._unwritten: dict[str, tuple[datetime | None, Callable[..., Awaitable[Job]]]] = {}

    async def run(self, job: Job) -> Job:
        """Return the job's row once it is at its end, or ambiguous.

        Raises:
            AuthError, CreditError: the key cannot go on; the job waits for a better one.
            ConfigError: no key, or no provider of that name, here; or no place where a clip would last.
            StoreError: the data folder refuses.
        """
        leased = job.lease_owner == self.leases.owner  # a new row is written with the lease of whoever wrote it
        while not job.is_terminal:
            if not leased:
                if not await self.leases.claim(job):
                    job = await self._watch_other(job)
                    continue
                job = await self._newest(job)
            leased = False
            with self.leases.held(job):
                try:
                    job = await self._drive(job)
                except (IllegalTransitionError, NotSentError):
                    # Our lease had run out (the machine slept, say) and another process was quicker.
                    job = await self._newest(job)
                    self._recorder.on_change(job)
                finally:
                    if not job.is_terminal:  # the end of a job ends its lease
                        await self.leases.release(job)
            if job.state is State.AMBIGUOUS:
                job = await self._newest(job)  # a person may have settled it while the list was read
                if job.state is State.AMBIGUOUS:
                    break
        self._links.pop(job.id, None)
        return job

    async def reconcile(self, job: Job) -> Job:
        """Return the ambiguous job's row after a look into the service's list of recent jobs."""
        return await self._reconciler.reconcile(job)

    async def vouch(self, job: Job, remote_id: str) -> str:
        """Return the remote id that a person gave, once the service was asked about it; see `Reconciler.vouch`."""
        return await self._reconciler.vouch(job, remote_id)

    async def fetch_again(self, job: Job) -> Job:
        """Return the done job's row, its clip fetched once more; see `Downloader.again`."""
        return await self._downloader.again(job, self._lanes.of(job))

    async def preview(self, job: Job) -> bytes | None:
        """Return a small picture of how far a running job is; see `Downloader.preview`."""
        return await self._downloader.preview(job, self._lanes.of(job))

    async def _drive(self, job: Job) -> Job:
        """Take the job as far as it goes; it is leased."""
        lane = self._lanes.of(job)
        sent_at, write = self._unwritten.pop(job.id, (None, None))
        # Another process, which saw no reply, may have called it ambiguous meanwhile.
        is_lost = job.state is State.AMBIGUOUS and job.remote_id is None
        if (job.state is State.SUBMITTING or is_lost) and write is not None and sent_at == job.submitted_at:
            job = await self._written(job, write, expect=job.state)  # the database would not take it before
        if job.state is State.SUBMITTING:
            # Whoever sent the POST is gone (we have its lease) and left no reply.
            note = "the process that sent the submit ended before the reply"
            job = await self._recorder.move(job, State.AMBIGUOUS, note=note)
        if job.state is State.AMBIGUOUS:
            job = await self.reconcile(job)
        if job.state is State.INTENDED:
            async with lane.limiter.slot(job):
                job = await self._submit(job, lane)
                return await self._follow(job, lane)
        return await self._follow(job, lane)

    async def _follow(self, job: Job, lane: Lane) -> Job:
        """Poll and download until the end."""
        link = self._links.get(job.id)  # it stays until the job's end: a download that fails is begun anew with it
        while job.state in (State.QUEUED, State.RUNNING, State.DOWNLOADING):
            if job.state is not State.DOWNLOADING or link is None:
                job, link = await self._poller.poll(job, lane)
            if job.state is State.DOWNLOADING and link is not None:
                job = await self._downloader.download(job, lane, link)
                link = None
            if job.state is State.AMBIGUOUS and job.remote_id is None:
                job = await self.reconcile(job)  # what was found in the list was somebody else's
        return job

    async def _submit(self, job: Job, lane: Lane) -> Job:
        """Upload the inputs and send the POST, once."""
        wire = lane.wire
        model = catalog.find(job.model)
        try:
            inputs = await self._uploaded(job, wire)
            provider = wire.target.provider
            call = provider.tagged(provider.submit(model, _plain(job.params), inputs), job)
            if webhook_url := wire.target.webhook_url:
                call = provider.called_back(call, with_job(webhook_url, job.id))
        except ProviderError as error:
            error.charged = False  # nothing was sent that costs money
            return await self._recorder.fail(job, error, booked=Booked.RETURNED)
        if not job.emulated:
            self._files.check_lasting()
        await self._check_place()
        await self._aside(self._ledger.ensure, job)
        await wire.check_emulator()
        await lane.limiter.may_submit(job)
        job = await self._with_reply(asyncio.create_task(self._post(job, lane, call)))
        if job.state is State.FAILED:
            # Perhaps for an input that was deleted over there: the next job uploads it anew.
            for item in (item for items in inputs.values() for item in items):
                await self._aside(self.store.forget_upload, job.provider, item)
        return job

    async def _with_reply(self, posting: asyncio.Task[Job]) -> Job:
        """Return what came of a POST; whoever stops waits a moment longer, as the reply holds the job's id."""
        try:
            return await asyncio.shield(posting)
        except asyncio.CancelledError:
            patience = asyncio.ensure_future(self._clock.wait(REPLY_S))
            await asyncio.wait([posting, patience], return_when=asyncio.FIRST_COMPLETED)
            for task in (posting, patience):
                task.cancel()
            await asyncio.gather(posting, patience, return_exceptions=True)
            raise

    async def _check_place(self) -> None:
        """Refuse to send a job whose clip could not be stored; jobs that are sent together share one look."""
        now_s = self._clock.monotonic()
        if now_s - self._place_checked_at > PLACE_FOR_S:
            await asyncio.to_thread(self._files.check_place)
            self._place_checked_at = now_s

    async def _post(self, job: Job, lane: Lane, call: Call) -> Job:
        """Send the POST; again only where the service cannot have taken it."""
        wire = lane.wire
        while True:
            job = await self._begun(job, wire.target.account)
            confirm, page = functools.partial(self.leases.confirm, job), ""
            try:
                reply = await wire.call(call, submit=True, gate=confirm)
                page = reply.text if reply.json is None else ""
                status = wire.target.provider.submitted(reply)
            except NotSentError as error:
                await self._record_unsent(job, str(error))
                raise
            except TransportError as error:
                if error.sent:
                    return await self._ambiguous(job, str(error))
                await self._back(job, str(error))
                raise
            except StoreError:  # the last look at the lease, before anything left
                with contextlib.suppress(StoreError):
                    await self._back(job, "the lease could not be looked at; nothing was sent")
                raise
            except RateLimitError as error:
                job = await self._back(job, str(error))
                if (error.retry_after_s or 0.0) > LONGEST_RETRY_AFTER_S:
                    raise _too_long(error, error.retry_after_s or 0.0) from None
                try:
                    await lane.limiter.refused(job, error)
                except RateLimitError as many:
                    return await self._recorder.fail(job, many, booked=Booked.RETURNED)
                continue
            except (UnexpectedReplyError, UnavailableError) as error:
                # The service may have taken the job although its answer cannot be read.
                return await self._ambiguous(job, str(error))
            except ProviderError as error:
                lost = isinstance(error, RejectedError) and sounds_lost(f"{error} {page}")
                if lost or error.status_code in UNDECIDED:  # it is said of a request that was passed on, too
                    return await self._ambiguous(job, str(error))
                return await self._written(job, functools.partial(self._recorder.fail, job, error))
            except BaseException as error:
                # The loop is ending, or there is a fault in here: nobody will read the reply.
                await self._recorder.move(
                    job, State.AMBIGUOUS, note=f"the submit was interrupted ({type(error).__name__})"
                )
                raise
            job = await self._written(job, functools.partial(self._record_accepted, job, status))
            with contextlib.suppress(StoreError):  # only the pace would come back sooner
                await lane.limiter.accepted()
            return job

    async def _begun(self, job: Job, account: str | None) -> Job:
        """Return the row that says that a POST is about to leave.

        Where the connection to the database breaks in the middle, nobody knows whether that was written. Nothing was
        sent, so the next drive writes that, if it finds it.
        """
        at = self.store.utc()
        try:
            return await self._recorder.move(
                job, State.SUBMITTING, account=account, submitted_at=at, remote_id=None, error=None
            )
        except StoreError as error:
            if not isinstance(error, IllegalTransitionError):
                self._unwritten[job.id] = at, self._unsent(job, "the database was away; nothing was sent")
            raise

    async def _written(self, job: Job, write: Callable[..., Awaitable[Job]], expect: State | None = None) -> Job:
        """Return the row once what came of the POST is in it; where the database refuses, the next drive writes it.

        Until then this process alone knows it: to others, the job was sent and had no reply. It is written only while
        this POST is the job's newest, and the job is in the state that is expected.
        """
        try:
            return await write(sent_at=job.submitted_at, expect=expect)
        except StoreError as error:
            if not isinstance(error, IllegalTransitionError):
                self._unwritten[job.id] = (job.submitted_at, write)
            raise

    async def _back(self, job: Job, why: str) -> Job:
        """Return the row of a job that was not sent, or not taken: it waits for the next try."""
        return await self._written(job, self._unsent(job, why))

    def _unsent(self, job: Job, why: str) -> Callable[..., Awaitable[Job]]:
        """Return what writes that a job waits for its next try, with the price of this one still held for it."""
        return functools.partial(self._recorder.move, job, State.INTENDED, note=why, booked=Booked.RESERVED)

    async def _record_accepted(self, job: Job, status: Status, **guard: Any) -> Job:
        """Return the row of a job that the service took; `guard` says of what row that may be written.

        A synchronous answer is the last poll too, as later ones may know nothing of such a job: its end is written at
        once with its id, and its link is kept until the job's end, also where "failed" stands beside it.
        """
        status = doubted(status)
        if status.link is not None and (status.ended or status.state is State.DOWNLOADING):
            self._links[job.id] = status.link
            status = replace(status, state=State.DOWNLOADING, ended=False)
        known = status.state in (State.QUEUED, State.DOWNLOADING, State.FAILED)
        # Any other word, as that it was cancelled, is for the polls that follow to say once more.
        job = await self._accepted(job, status if known else replace(status, state=State.RUNNING), guard)
        if not job.is_terminal:
            self._recorder.replied(job)
        return job

    async def _record_unsent(self, job: Job, why: str) -> None:
        """Say in the job's row that nothing was sent; where it is still this process's, it may be sent again."""
        log.warning("job %s: %s", job.id[:8], why)
        try:
            await self._recorder.move(job, State.INTENDED, expect=State.SUBMITTING, owner=self.leases.owner, note=why)
        except IllegalTransitionError:
            await self._aside(self.store.remark, job.id, why)

    async def _newest(self, job: Job) -> Job:
        return await self._aside(self.store.get, job.id)

    async def _accepted(self, job: Job, status: Status, guard: Mapping[str, Any]) -> Job:
        """Return the job with its remote id; a database that refuses is asked again, as the id is nowhere else yet."""
        told = {"cost": status.cost, "asset_id": status.asset_id, "estimate": status.estimate, **guard}
        for attempt in range(WRITE_TRIES):
            try:
                return await self._poller.heard(job, status, remote_id=status.remote_id, **told)
            except IllegalTransitionError:
                log.error("job %s was taken over; the service gave it the id %s", job.id, status.remote_id)
                raise
            except StoreError as error:
                if attempt == 0:
                    log.error("job %s: the service gave it the id %s, but %s", job.id, status.remote_id, error)
                if attempt == WRITE_TRIES - 1:
                    raise StoreError(
                        f"{error}. {job.provider} has job {job.id[:8]} under the id {status.remote_id}: once the data "
                        f"folder can be written to, vidnb.resume(), then vidnb.settle({job.id[:8]!r}, "
                        f'remote_id="{status.remote_id}") if it is ambiguous'
                    ) from error
                await self._clock.sleep(min(30.0, 1.0 * 2**attempt))
        raise AssertionError("unreachable")

    async def _ambiguous(self, job: Job, why: str) -> Job:
        job = await self._recorder.move(job, State.AMBIGUOUS, note=why)
        with contextlib.suppress(VidnbError):
            job = await self.reconcile(job)
        return job

    async def _uploaded(self, job: Job, wire: Wire) -> dict[str, list[RemoteMedia]]:
        """Return the provider's handles for all inputs; a service that says 429 to an upload is asked again later."""
        for attempt in range(UPLOAD_TRIES):
            try:
                return await self._inputs(job, wire)
            except RateLimitError as error:
                wait_s = error.retry_after_s or min(60.0, 2.0 * 2**attempt)
                if wait_s > LONGEST_RETRY_AFTER_S or attempt == UPLOAD_TRIES - 1:
                    raise
                await self._clock.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    async def _inputs(self, job: Job, wire: Wire) -> dict[str, list[RemoteMedia]]:
        """Return the provider's handles for all inputs, uploading what it does not have yet."""
        return {
            name: [await self._input(item, wire) for item in items if isinstance(item, Mapping)]
            for name, items in job.images.items()
        }

    async def _input(self, item: Mapping[str, Any], wire: Wire) -> RemoteMedia:
        if "id" in item:
            return RemoteMedia(item["provider"], item["id"], item["kind"])
        target = wire.target
        key = (target.provider.name, target.account, target.base_url, item["sha256"])
        async with self._uploads.setdefault(" ".join(key), asyncio.Lock()):
            live_s = target.provider.uploads_live_s
            since = None if live_s is None else self.store.utc() - timedelta(seconds=live_s)
            known = await self._aside(self.store.uploaded, *key, since=since)
            if known is None:
                content = self._files.read(item["sha256"], "." + item["extension"])
                file = recordings.stored_file(content, item["sha256"], item["extension"])
                known = await converse(wire.call, target.provider.upload(file))
                if known.kind != "INLINE":
                    await self._aside(self.store.remember_upload, *key, known)
            return known

    async def _watch_other(self, job: Job) -> Job:
        """Another process has the job: wait a moment for it to change, finish, or let go."""
        await self._clock.sleep(0.2 if job.emulated else 1.0)
        fresh = await self._newest(job)
        if fresh.state is not job.state:
            self._recorder.on_change(fresh)
        return fresh


def _too_long(error: RateLimitError, wait_s: float) -> RateLimitError:
    """Return the error of a service that wants to be left alone for longer than anyone waits in a call."""
    told = RateLimitError(
        f"{error}; it asks to wait {wait_s / 60:.0f} minutes. Nothing was sent since: run vidnb.resume() after that",
        provider=error.provider, status_code=error.status_code, code=error.code,
    )  # fmt: skip
    told.retry_after_s = error.retry_after_s
    return told


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
