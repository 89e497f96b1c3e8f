"""The life of a job, written once and async: submit, poll, download.

This is the only module that holds both a provider and a transport. The promises it keeps:

- the row is written before the POST, and the POST is sent once: again only where nothing can have been received, or
  after a plain 429;
- a lost reply makes the job `ambiguous`; `reconcile` looks for it in the provider's own list, or a person decides;
- a timeout, an unknown status word or a network failure while polling means "still running", never "failed";
- the clip is fetched the moment the job completes, verified as video and stored under its hash;
- any process may take up any unfinished job, and a lease keeps two of them from doing so at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from vidnb import catalog, media
from vidnb.errors import (
    AuthError,
    ConfigError,
    CreditError,
    IllegalTransitionError,
    MediaError,
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
from vidnb.limits import Schedule
from vidnb.listing import Listing, converse
from vidnb.records import Call, ClipInfo, Job, RemoteJob, RemoteMedia, State, Status
from vidnb.store import Store, utcnow
from vidnb.transport import Wire

log = logging.getLogger("vidnb")

Sleep = Callable[[float], Awaitable[None]]
LEASE_S = 20.0
SUBMIT_TRIES = 6
REPLY_S = 15.0
LONGEST_RETRY_AFTER_S = 600.0
DOWNLOAD_TRIES = 5
FORGOTTEN_AFTER_S = 60.0
FORGOTTEN_AFTER_POLLS = 5
"""A provider may not know a new job at once, or one of its machines may not: so many answers in a row are final."""
WRITE_TRIES = 6
RECONCILE_LOOKBACK = 100
CLOCKS_DIFFER_S = 120
FIRST_WINDOWS = 3
HISTORY_FOR_S = 2.0
WOKEN_FOR_S = 0.5
NO_ANSWER = "no answer"
UNKNOWN = "unknown to the service"


def process_name() -> str:
    """A name for this process that a later one on the same host can check for life."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


def is_dead(owner: str) -> bool:
    """True where the process of that name was on this host and has ended; one elsewhere keeps its lease to the end."""
    host, pid, _ = owner.rsplit("/", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:  # it lives and belongs to somebody else
        return False
    return False


@dataclass(frozen=True)
class Account:
    """What the jobs of one account share: the slots that submits wait for, and the list that answers for several."""

    slots: asyncio.Semaphore
    listing: Listing


class Engine:
    """Drives jobs to their end for one data folder.

    Args:
        store: the rows.
        files: the clips and inputs.
        wire_for: the connection for a job's provider, or ConfigError where there is no key for it.
        sleep: how to wait; tests pass a virtual one.
        on_change: called with the new row after every change.
        lease_s: how long a lease lasts; it is renewed four times as often.
        in_flight: jobs of one account to have at the provider at once; None for what the provider publishes.
    """

    def __init__(
        self,
        store: Store,
        files: Files,
        wire_for: Callable[[Job], Wire],
        *,
        sleep: Sleep = asyncio.sleep,
        on_change: Callable[[Job], None] = lambda job: None,
        lease_s: float = LEASE_S,
        in_flight: int | None = None,
    ) -> None:
        self.store = store
        self.files = files
        self.owner = process_name()
        self._wire_for = wire_for
        self._sleep = sleep
        self._on_change = on_change
        self._lease_s = lease_s
        self._in_flight = in_flight
        self._held: set[str] = set()
        self._heart: asyncio.Task[None] | None = None
        self._uploads: dict[str, asyncio.Lock] = {}
        self._accounts: dict[str, Account] = {}
        self._links: dict[str, str] = {}
        self._history: dict[str, tuple[float, list[float]]] = {}
        self._woken: tuple[float, set[str]] = (float("-inf"), set())

    async def run(self, job: Job) -> Job:
        """The job's row once it is at its end, or ambiguous.

        Raises:
            AuthError, CreditError: the key cannot go on; the job waits for a better one.
            ConfigError: no key, or no provider of that name, here.
            StoreError: the data folder refuses.
        """
        leased = job.lease_owner == self.owner  # a new row is written with the lease of whoever wrote it
        while not job.is_terminal:
            if not leased:
                if not self.store.lease(job.id, self.owner, self._lease_s):
                    job = await self._watch_other(job)
                    continue
                job = self.store.get(job.id)
            leased = False
            self._hold(job.id)
            try:
                job = await self._drive(job)
            except IllegalTransitionError:
                # Our lease had run out (the machine slept, say) and another process was quicker.
                job = self.store.get(job.id)
            finally:
                self._held.discard(job.id)
                if not job.is_terminal:  # the end of a job ends its lease
                    self.store.release(job.id, self.owner)
            if job.state is State.AMBIGUOUS:
                job = self.store.get(job.id)  # a person may have settled it while the list was read
                if job.state is State.AMBIGUOUS:
                    break
        return job

    def leased(self, job: Job) -> Job:
        """The job with a lease of this process, for a row that is about to be written."""
        return replace(job, lease_owner=self.owner, lease_until=utcnow() + timedelta(seconds=self._lease_s))

    def _latencies(self, model: str, emulated: bool) -> list[float]:
        """The model's earlier latencies, read from the database every few seconds at most."""
        read_at, found = self._history.get(model, (float("-inf"), []))
        if time.monotonic() - read_at > HISTORY_FOR_S:
            found = self.store.latencies(model, emulated)
            self._history[model] = (time.monotonic(), found)
        return found

    async def _drive(self, job: Job) -> Job:
        """Take the job as far as it goes; it is leased."""
        wire = self._wire_for(job)
        if job.state is State.SUBMITTING:
            # Whoever sent the POST is gone (we have its lease) and left no reply.
            job = self._move(job, State.AMBIGUOUS, note="the process that sent the submit ended before the reply")
        if job.state is State.AMBIGUOUS:
            job = await self.reconcile(job)
        if job.state is State.INTENDED:
            async with self._account(wire).slots:
                job = await self._submit(job, wire)
                return await self._follow(job, wire)
        return await self._follow(job, wire)

    async def _follow(self, job: Job, wire: Wire) -> Job:
        """Poll and download until the end."""
        video_url = self._links.pop(job.id, None)
        while job.state in (State.QUEUED, State.RUNNING, State.DOWNLOADING):
            if job.state is not State.DOWNLOADING or video_url is None:
                job, video_url = await self._poll(job, wire)
            if job.state is State.DOWNLOADING and video_url is not None:
                job = await self._download(job, wire, video_url)
                video_url = None
        return job

    def _account(self, wire: Wire) -> Account:
        """What the jobs at this connection share."""
        target = wire.target
        name = f"{target.base_url} {target.account}"
        if name not in self._accounts:
            at_once = self._in_flight or target.provider.rates.in_flight
            self._accounts[name] = Account(asyncio.Semaphore(at_once), Listing(wire))
        return self._accounts[name]

    # -- submit ------------------------------------------------------------------------------------------------------

    async def _submit(self, job: Job, wire: Wire) -> Job:
        """Upload the inputs and send the POST, once."""
        model = catalog.find(job.model)
        try:
            inputs = await self._inputs(job, wire)
            call = wire.target.provider.submit(model, _plain(job.params), inputs)
        except ProviderError as error:
            return self._fail(job, error)
        await wire.may_submit()
        posting = asyncio.create_task(self._post(job, wire, call))
        try:
            job = await asyncio.shield(posting)
        except asyncio.CancelledError:
            # The reply to a paid POST holds the job's id: whoever stops waits for it a moment longer.
            await asyncio.wait([posting], timeout=REPLY_S)
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)
            raise
        if job.state is State.FAILED:
            # Perhaps for an input that was deleted over there: the next job uploads it anew.
            for item in (item for items in inputs.values() for item in items):
                self.store.forget_upload(job.provider, item)
        return job

    async def _post(self, job: Job, wire: Wire, call: Call) -> Job:
        """Send the POST; again only where the service cannot have taken it."""
        for attempt in range(SUBMIT_TRIES):
            job = self._move(job, State.SUBMITTING, account=wire.target.account, submitted_at=utcnow())
            try:
                status = wire.target.provider.submitted(await wire.call(call, submit=True))
            except TransportError as error:
                if error.sent:
                    return await self._ambiguous(job, str(error))
                self._move(job, State.INTENDED, note=str(error))
                raise
            except RateLimitError as error:
                job = self._move(job, State.INTENDED, note=str(error))
                wait_s = error.retry_after_s or min(60.0, 2.0 * 2**attempt)
                if wait_s > LONGEST_RETRY_AFTER_S:
                    raise
                await self._sleep(wait_s)
                await wire.may_submit()
                continue
            except (UnexpectedReplyError, UnavailableError) as error:
                # The service may have taken the job although its answer cannot be read.
                return await self._ambiguous(job, str(error))
            except ProviderError as error:
                return self._fail(job, error)
            except BaseException as error:
                # The loop is ending, or there is a fault in here: nobody will read the reply.
                self._move(job, State.AMBIGUOUS, note=f"the submit was interrupted ({type(error).__name__})")
                raise
            job = await self._accepted(job, status)
            if status.state not in (State.DOWNLOADING, State.FAILED):
                return job
            # A synchronous answer is the last poll too: later ones may know nothing of such a job.
            if status.video_url:
                self._links[job.id] = status.video_url
            return self._heard(job, status)
        return self._fail(
            job, RateLimitError("the service said 429 to every try; nothing was charged", provider=job.provider)
        )

    async def _accepted(self, job: Job, status: Status) -> Job:
        """The job with its remote id; a database that refuses is asked again, as the id is nowhere else yet."""
        state = State.QUEUED if status.state is State.QUEUED else State.RUNNING
        told = {"wire_status": status.word, "cost": status.cost, "asset_id": status.asset_id}
        for attempt in range(WRITE_TRIES):
            try:
                return self._move(job, state, remote_id=status.remote_id, **told)
            except IllegalTransitionError:
                log.error("job %s was taken over; the service gave it the id %s", job.id, status.remote_id)
                raise
            except StoreError as error:
                log.error("job %s: the service gave it the id %s, but %s", job.id, status.remote_id, error)
                if attempt == WRITE_TRIES - 1:
                    raise StoreError(
                        f"{error}. {job.provider} has job {job.id[:8]} under the id {status.remote_id}: once the data "
                        f"folder can be written to, vidnb.resume(), then vidnb.settle({job.id[:8]!r}, "
                        f'remote_id="{status.remote_id}") if it is ambiguous'
                    ) from error
                await self._sleep(min(30.0, 1.0 * 2**attempt))
        raise AssertionError("unreachable")

    async def _ambiguous(self, job: Job, why: str) -> Job:
        job = self._move(job, State.AMBIGUOUS, note=why)
        with contextlib.suppress(VidnbError):
            job = await self.reconcile(job)
        return job

    async def _inputs(self, job: Job, wire: Wire) -> dict[str, list[RemoteMedia]]:
        """The provider's handles for all inputs, uploading what it does not have yet."""
        return {
            name: [await self._input(item, wire) for item in items if isinstance(item, Mapping)]
            for name, items in job.images.items()
        }

    async def _input(self, item: Mapping[str, Any], wire: Wire) -> RemoteMedia:
        if "id" in item:
            return RemoteMedia(item["provider"], item["id"], item["kind"])
        target = wire.target
        async with self._uploads.setdefault(f"{target.base_url} {item['sha256']}", asyncio.Lock()):
            key = (target.provider.name, target.account, target.base_url, item["sha256"])
            known = self.store.uploaded(*key)
            if known is None:
                content = self.files.read(item["sha256"], "." + item["extension"])
                file = media.stored_file(content, item["sha256"], item["extension"])
                known = await converse(wire.call, target.provider.upload(file))
                self.store.remember_upload(*key, known)
            return known

    # -- poll --------------------------------------------------------------------------------------------------------

    async def _poll(self, job: Job, wire: Wire) -> tuple[Job, str | None]:
        """Ask until something is settled; the second value is the clip's link once there is one."""
        listing = self._account(wire).listing
        with listing.following(job.remote_id or ""):
            return await self._settled(job, wire, listing)

    async def _settled(self, job: Job, wire: Wire, listing: Listing) -> tuple[Job, str | None]:
        remote_id, heard_at = job.remote_id or "", time.monotonic()
        schedule = Schedule(self._latencies(job.model, job.emulated), wire.target.provider.rates, emulated=job.emulated)
        since, failures, unknown = job.submitted_at or job.created_at, 0, 0
        if listing.covers(remote_id):
            await self._rest(job, FIRST_WINDOWS * schedule.window_s)  # one list for all that were submitted by then
        while True:
            listed = await listing.status(remote_id, after=heard_at, within_s=schedule.window_s)
            status = listed or await self._ask(job, wire)
            heard_at = time.monotonic()
            failures = failures + 1 if status.word.startswith(NO_ANSWER) else 0
            unknown = unknown + 1 if status.word.startswith(UNKNOWN) else 0
            if unknown >= FORGOTTEN_AFTER_POLLS and _age_s(since) > FORGOTTEN_AFTER_S:
                status = _forgotten(job, status, wire)
            job = self._heard(replace(job, polls=job.polls + 1), status)
            if job.is_terminal or (job.state is State.DOWNLOADING and status.video_url is not None):
                return job, status.video_url
            together = listing.covers(remote_id)
            delay = schedule.delay(_age_s(since), failures=failures, together=together)
            await self._rest(job, max(delay, listing.pace_s) if together else delay)

    async def _ask(self, job: Job, wire: Wire) -> Status:
        """What the service says of the job now; a network failure or an odd answer is no verdict on the job."""
        provider, remote_id = wire.target.provider, job.remote_id or ""
        reply = None
        try:
            reply = await wire.call(provider.poll(remote_id))
            status = provider.polled(reply, remote_id)
        except AuthError:
            raise
        except (TransportError, ProviderError) as error:
            # Only the service itself can say that it does not know a job: not a gateway's page, nor an empty balance.
            told = isinstance(error, RejectedError) and reply is not None and reply.json is not None
            return Status(remote_id, None, word=f"{UNKNOWN if told else NO_ANSWER}: {error}"[:200], error=str(error))
        return replace(status, word=UNKNOWN) if status.word == "null record" else status

    def _heard(self, job: Job, status: Status) -> Job:
        """The job's row after what the service said; the row is written only where something changed."""
        told: dict[str, Any] = {"wire_status": status.word, "polls": job.polls}
        told |= {name: value for name in ("asset_id", "cost", "nsfw") if (value := getattr(status, name)) is not None}
        if status.state is State.FAILED:
            reason = status.error or "the service gave no reason"
            return self._fail(job, ProviderError(reason, provider=job.provider), **told)
        if status.state is State.DOWNLOADING and job.state is State.DOWNLOADING:
            self.store.update(job.id, **told)
            return self.store.get(job.id)
        if status.state is State.DOWNLOADING:
            return self._move(job, State.DOWNLOADING, finished_at=utcnow(), **told)
        if status.state is not None and status.state is not job.state:
            return self._move(job, status.state, **told)
        if status.word != job.wire_status:
            self.store.update(job.id, **told)
            job = replace(job, wire_status=status.word)
            self._on_change(job)
        return job

    async def _rest(self, job: Job, seconds: float) -> None:
        """Wait before the next poll; a webhook ends the wait."""
        step = 1.0
        while seconds > 0:
            await self._sleep(min(step, seconds))
            seconds -= step
            if seconds > 0 and job.id in self._called() and self.store.woken(job.id):
                return

    def _called(self) -> set[str]:
        """The jobs that a webhook marked, read for all jobs at once."""
        read_at, found = self._woken
        if time.monotonic() - read_at > WOKEN_FOR_S:
            found = self.store.all_woken()
            self._woken = (time.monotonic(), found)
        return found

    # -- download ----------------------------------------------------------------------------------------------------

    async def _download(self, job: Job, wire: Wire, url: str) -> Job:
        """Fetch, verify and store the clip; on a dead link the caller polls for a fresh one."""
        for attempt in range(DOWNLOAD_TRIES):
            try:
                return self._move(job, State.DONE, done_at=utcnow(), clip=await self._fetched(wire, url))
            except (TransportError, MediaError):
                if attempt == DOWNLOAD_TRIES - 1:
                    # The service still has the clip: the job stays as it is, and the next call or `resume` fetches it.
                    raise
            await self._sleep(min(8.0, 0.25 * 2**attempt) if job.emulated else min(30.0, 1.0 * 2**attempt))
            job, fresh = await self._poll(job, wire)
            if fresh is None:
                return job
            url = fresh
        raise AssertionError("the last try returns or raises")

    async def _fetched(self, wire: Wire, url: str) -> ClipInfo:
        """What was measured of the clip behind a link, once it lies in the data folder."""
        async with wire.download(url) as chunks:
            sha256, info = await self.files.receive(chunks, ".mp4", media.verify_video)
        return replace(info, sha256=sha256)

    async def fetch_again(self, job: Job) -> Job:
        """The done job's row, its clip fetched once more: somebody deleted the file, and the service may still have it.

        Raises:
            StoreError: the service no longer has it, or the data folder refuses.
            TransportError, MediaError: the download failed.
        """
        wire = self._wire_for(job)
        status = await self._ask(job, wire)
        if status.video_url is None:
            raise StoreError(f"the file of job {job.id[:8]} was deleted, and {job.provider} gives no link to it now")
        info = await self._fetched(wire, status.video_url)
        if job.clip is None or info.sha256 != job.clip.sha256:  # the service may have encoded it anew
            self.store.update(job.id, clip=info)
        return self.store.get(job.id)

    # -- reconcile ---------------------------------------------------------------------------------------------------

    async def reconcile(self, job: Job) -> Job:
        """Look for an ambiguous job in the provider's list of recent jobs, and attach it when only one can be it.

        A provider without such a list, a list without the job, or one with more jobs that fit than are missing here
        (another tool, another data folder) leaves it ambiguous: a person decides.
        """
        if job.state is not State.AMBIGUOUS:
            return job
        wire = self._wire_for(job)
        exchange = wire.target.provider.recent(RECONCILE_LOOKBACK)
        if exchange is None:
            return job
        listed = await converse(wire.call, exchange)
        others = [other for other in self.store.unfinished(job.provider) if other.id != job.id]
        if any(_is_rival(job, other) for other in others):
            return job
        began = job.submitted_at or job.created_at
        fitting = [
            remote for remote in listed
            if _fits(job, remote) and self.store.by_remote(job.provider, remote.remote_id) is None
        ]  # fmt: skip
        alike = [other for other in others if other.recipe_hash == job.recipe_hash and other.state is State.AMBIGUOUS]
        if len(fitting) > 1 + len(alike):
            return self.store.get(job.id)
        for remote in sorted(fitting, key=lambda remote: abs(((remote.created_at or began) - began).total_seconds())):
            try:
                attached = self.store.attach(job.id, remote.remote_id, "found in the provider's list of recent jobs")
            except IllegalTransitionError:  # it was settled while the list was read
                break
            if attached is not None:
                self._on_change(attached)
                return attached
        return self.store.get(job.id)

    # -- shared ------------------------------------------------------------------------------------------------------

    def _move(self, job: Job, to: State, **columns: Any) -> Job:
        moved = self.store.move(job.id, to, **columns)
        log.debug("job %s: %s -> %s", job.id, job.state, to)
        self._on_change(moved)
        return moved

    def _fail(self, job: Job, error: Exception, **columns: Any) -> Job:
        return self._move(job, State.FAILED, error=describe(error), done_at=utcnow(), **columns)

    async def _watch_other(self, job: Job) -> Job:
        """Another process has the job: wait for it to change, finish, or let go (which a dead one does at once)."""
        fresh = self.store.get(job.id)
        if fresh.lease_owner and is_dead(fresh.lease_owner):
            self.store.release(job.id, fresh.lease_owner)
        else:
            await self._sleep(0.2 if job.emulated else 1.0)
            fresh = self.store.get(job.id)
        if fresh.state is not job.state:
            self._on_change(fresh)
        return fresh

    def _hold(self, job_id: str) -> None:
        self._held.add(job_id)
        if self._heart is None or self._heart.done():
            self._heart = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        """Keep the leases of the jobs in hand, for as long as there are any."""
        while self._held:
            await asyncio.sleep(self._lease_s / 4)
            if self._held:
                self.store.renew(list(self._held), self.owner, self._lease_s)


def describe(error: Exception) -> dict[str, Any]:
    """What a failed job's row says: kind, message, whether it was charged, and what to do next."""
    kinds: list[tuple[type[Exception], str, str]] = [
        (AuthError, "key", "check the key, then run the cell again"),
        (CreditError, "credit", "top up the account, then run the cell again"),
        (RateLimitError, "rate", "wait a minute, then run the cell again"),
    ]
    kind, advice = next(((k, a) for cls, k, a in kinds if isinstance(error, cls)), ("service", ""))
    charged = getattr(error, "charged", None)
    if kind == "service":
        refused = charged is False
        kind = "refused" if refused else "service"
        advice = "change the prompt, input or value that it names" if refused else "try another take, or another model"
    return {"kind": kind, "type": type(error).__name__, "message": str(error), "charged": charged, "advice": advice}


def _fits(job: Job, remote: RemoteJob) -> bool:
    """True where a listed job can be this one: same prompt, seed and size, created after the submit began."""
    began = (job.submitted_at or job.created_at) - timedelta(seconds=CLOCKS_DIFFER_S)
    if remote.prompt != job.prompt or (remote.created_at is not None and remote.created_at < began):
        return False
    told = {"seed": remote.seed, "width_px": remote.width_px, "height_px": remote.height_px}
    asked = {name: job.params.get(name) for name in told}
    return all(told[name] is None or not value or told[name] == value for name, value in asked.items())


def _is_rival(job: Job, other: Job) -> bool:
    """True where a listed job could as well be that other one, so that nobody can say whose it is.

    Ambiguous takes of one recipe are no rivals: their clips are interchangeable. A submit under way is one always, as
    its remote id will be known in a moment.
    """
    if other.prompt != job.prompt or other.state not in (State.SUBMITTING, State.AMBIGUOUS):
        return False
    if other.state is State.AMBIGUOUS and other.recipe_hash == job.recipe_hash:
        return False
    told = ("seed", "width_px", "height_px")
    return all(job.params.get(name) == other.params.get(name) for name in told)


def _forgotten(job: Job, status: Status, wire: Wire) -> Status:
    """The end of a job that its own account no longer has.

    Raises:
        ConfigError: the key is another one than at the submit, so that its answer says nothing.
    """
    if job.account and job.account != wire.target.account:
        raise ConfigError(
            f"job {job.id[:8]} was sent with another {wire.target.provider.key_env}, and with this one the service "
            "does not know it; set the key of then and run vidnb.resume()"
        )
    return replace(status, state=State.FAILED, error=status.error or "the service no longer knows this job")


def _age_s(since: datetime) -> float:
    return (utcnow() - since).total_seconds()


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
