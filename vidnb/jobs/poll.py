"""Polls a job until it is over: soon enough to be quick, seldom enough to be polite."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from vidnb.errors import (
    AuthError,
    ConfigError,
    ProviderError,
    RateLimitError,
    RejectedError,
    TransportError,
    UnexpectedReplyError,
)
from vidnb.jobs.lanes import Lane
from vidnb.jobs.matching import unlike
from vidnb.jobs.recorder import Recorder
from vidnb.jobs.schedule import Schedule
from vidnb.net.wire import Wire
from vidnb.records import Job, Link, State, Status

PATIENCE = {
    "ended": (180.0, 5), "unknown": (300.0, 5), "linked": (600.0, 10), "strange": (1200.0, 20),
    "moving": (24 * 3600.0, 20), "silent": (24 * 3600.0, 20),
}  # fmt: skip
"""How many seconds, and polls in a row, each kind of unclear answer is accepted before a person is asked: the service
is finished but shows no clip (a link may come late), does not know the job (one of its machines may not yet), says that
the job goes on and links to its clip all the same, uses an unknown word or shape, says that the job goes on, or gives
no answer at all."""
EMULATED_PATIENCE = 1 / 90
"""The emulator is quicker than the services."""
FIRST_WINDOWS = 3
HISTORY_FOR_S = 2.0
WOKEN_FOR_S = 0.5
NO_ANSWER = "no answer"
ODD = "odd answer"
UNKNOWN = "unknown to the service"
PLAIN_WORD_POLLS = 3
"""From this poll on a word that says no more than the row's state is written, too. A short job has ended by then, and
is spared the write."""
BARE = {"wire_status", "polls"}
"""What is known of a job of which the service said one word."""
ENDS = (State.DOWNLOADING, State.FAILED)
HEARD = ("asset_id", "cost", "nsfw", "used_seed", "used_prompt")
"""What a status may tell that is kept in the job's row, beside its state."""


class Poller:
    """Follows jobs at their services.

    Args:
        recorder: writes the rows.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._store = recorder.store
        self._clock = recorder.store.clock
        self._history: dict[str, tuple[float, list[float]]] = {}
        self._woken: tuple[float, set[str]] = (float("-inf"), set())
        self._unwritten: set[str] = set()
        """The jobs whose word at the service is not in their row yet."""

    async def poll(self, job: Job, lane: Lane) -> tuple[Job, Link | None]:
        """Poll until the job is over, ambiguous, or has a clip to download.

        Returns:
            The job's row, and the clip's link once there is one.
        """
        with lane.listing.following(job):
            try:
                return await self._followed(job, lane)
            finally:
                self._unwritten.discard(job.id)

    async def _followed(self, job: Job, lane: Lane) -> tuple[Job, Link | None]:
        wire, listing = lane.wire, lane.listing
        remote_id, heard_at = job.remote_id or "", self._clock.monotonic()
        latencies = await self._latencies(job.model, job.emulated)
        schedule = Schedule(latencies, wire.target.provider.rates, emulated=job.emulated)
        failures, patience = 0, _Patience(job)
        began_at, age_s = heard_at, self._age_s(job.submitted_at or job.created_at)
        if listing.covers(remote_id):
            await self._rest(job, FIRST_WINDOWS * schedule.window_s)  # one list for all that were submitted by then
        while True:
            listed = await listing.status(remote_id, after=heard_at, within_s=schedule.window_s)
            status = doubted(listed or await self.ask(job, wire))
            heard_at = self._clock.monotonic()
            failures = failures + 1 if status.word.startswith(NO_ANSWER) else 0
            tired = patience.ends_with(status)
            if tired and status.link is not None:  # an odd word to the end, and yet a clip
                status = replace(status, state=State.DOWNLOADING, ended=False)
            if status.state in ENDS and await self._recorder.is_guess(job):
                why = await self._unlike(job, wire, status)
                if why:
                    return await self._recorder.detach(job, why), None
            if tired and status.word.startswith(UNKNOWN):
                _check_account(job, wire)
            job = await self.heard(replace(job, polls=job.polls + 1), status)
            if job.is_terminal or (job.state is State.DOWNLOADING and status.link is not None):
                return job, status.link
            if tired and await self._recorder.is_guess(job):
                return await self._recorder.detach(job, f"the service says {status.word!r} of it"), None
            if tired:
                return await self._recorder.ask_person(job, _puzzle(job, status, tired), wire_status=status.word), None
            together = listing.covers(remote_id)
            # By the clock that nobody sets: else a job of a second may seem to be hours old, and is seldom asked about.
            elapsed_s = age_s + self._clock.monotonic() - began_at
            delay = schedule.delay(elapsed_s, failures=failures, together=together)
            delay = max(delay, listing.pace_s if together else 0.0)
            await self._rest(job, delay)
            patience.waited(delay)

    async def look(self, job: Job, lane: Lane) -> tuple[Job, Link | None]:
        """Ask once about an ambiguous job whose remote id is known; it goes on if the service has its clip by now.

        Returns:
            The job's row, and the clip's link where there is one now.
        """
        status = doubted(await self.ask(job, lane.wire))
        if status.state is None and status.link is not None:
            status = replace(status, state=State.DOWNLOADING)
        if status.state is None or status.word.startswith(UNKNOWN):
            return job, None
        if status.state is State.FAILED:
            return await self.heard(job, status), None
        cost = {} if status.cost is None else {"cost": status.cost}
        row = await self._recorder.move(job, status.state, wire_status=status.word, error=None, **cost)
        return row, status.link

    async def _unlike(self, job: Job, wire: Wire, status: Status) -> str:
        """Return why a job that was found in a list is another one after all; "" where nothing says so."""
        if status.state is State.FAILED:
            return "it failed, and may be another one"
        provider = wire.target.provider
        with contextlib.suppress(TransportError, ProviderError):
            remote = provider.described(await wire.call(provider.poll(job)), job)
            return unlike(job, remote) if remote is not None else ""
        return ""

    async def ask(self, job: Job, wire: Wire) -> Status:
        """Return what the service says of the job now; a network failure or an odd answer is no verdict on the job."""
        provider, remote_id = wire.target.provider, job.remote_id or ""
        reply = None
        try:
            reply = await wire.call(provider.poll(job))
            status = provider.polled(reply, job)
            if status.state is State.DOWNLOADING and status.link is None and (call := provider.result(job)):
                reply = await wire.call(call)
                status = provider.resulted(reply, job)
        except AuthError:
            raise
        except (TransportError, ProviderError) as error:
            if isinstance(error, RateLimitError):
                await wire.pace.read_refused(error)
            if isinstance(error, UnexpectedReplyError) and reply is not None and reply.json is not None:
                return Status(remote_id, None, word=f"{ODD}: {error}"[:200], error=str(error))
            # Only the service itself can say that it does not know a job: not a gateway's page, nor an empty balance.
            told = isinstance(error, RejectedError) and reply is not None and reply.json is not None
            return Status(remote_id, None, word=f"{UNKNOWN if told else NO_ANSWER}: {error}"[:200], error=str(error))
        return replace(status, word=UNKNOWN) if status.word == "null record" else status

    async def heard(self, job: Job, status: Status, **columns: Any) -> Job:
        """Return the job's row after what the service said; it is written only where something changed.

        A word that says no more than the state is written with the next change, or with poll `PLAIN_WORD_POLLS`.

        Args:
            job: whose row.
            status: what the service said.
            **columns: more to write with a new state, as for `Recorder.move`.
        """
        told: dict[str, Any] = {"wire_status": status.words, "polls": job.polls}
        told |= {name: value for name in HEARD if (value := getattr(status, name)) is not None} | columns
        if status.state is State.FAILED:
            return await self._recorder.fail(job, _failure(job, status), **told)
        if status.state is State.DOWNLOADING and job.state is State.DOWNLOADING:
            await self._store.aside(self._store.update, job.id, **told)
            return await self._store.aside(self._store.get, job.id)
        if status.state is State.DOWNLOADING:
            return await self._recorder.move(job, State.DOWNLOADING, finished_at=self._store.utc(), **told)
        if status.state is not None and status.state is not job.state:
            self._unwritten.discard(job.id)
            return await self._recorder.move(job, status.state, **told)
        is_new = status.words != job.wire_status
        if is_new or job.id in self._unwritten:
            says_more = status.state is None or status.words != status.word or told.keys() > BARE
            if says_more or job.polls >= PLAIN_WORD_POLLS:
                await self._store.aside(self._store.update, job.id, **told)
                self._unwritten.discard(job.id)
            else:
                self._unwritten.add(job.id)
        if is_new:
            job = replace(job, wire_status=status.words)
            self._recorder.on_change(job)
        return job

    async def _rest(self, job: Job, seconds: float) -> None:
        """Wait before the next poll; a webhook ends the wait."""
        step = 1.0
        while seconds > 0:
            await self._clock.sleep(min(step, seconds))
            seconds -= step
            if seconds > 0 and job.id in await self._called() and await self._store.aside(self._store.woken, job.id):
                return

    async def _called(self) -> set[str]:
        """Return the jobs that a webhook marked, read for all jobs at once."""
        read_at, found = self._woken
        if self._clock.monotonic() - read_at > WOKEN_FOR_S:
            found = await self._store.aside(self._store.all_woken)
            self._woken = (self._clock.monotonic(), found)
        return found

    def _age_s(self, since: datetime) -> float:
        return (self._store.utc() - since).total_seconds()

    async def _latencies(self, model: str, emulated: bool) -> list[float]:
        """Return the model's earlier latencies, read from the database every few seconds at most."""
        read_at, found = self._history.get(model, (float("-inf"), []))
        if self._clock.monotonic() - read_at > HISTORY_FOR_S:
            found = await self._store.aside(self._store.latencies, model, emulated)
            self._history[model] = (self._clock.monotonic(), found)
        return found


def _failure(job: Job, status: Status) -> ProviderError:
    """Return the reason of a job that failed at the service."""
    error = ProviderError(status.error or "the service gave no reason", provider=job.provider)
    error.charged = True if status.why == "gone" else status.charged
    error.why = status.why
    return error


def doubted(status: Status) -> Status:
    """Return the status as one that decides nothing where the service says "failed" and links to the clip beside it.

    A charge below zero is none that a service can mean: it would make room in a cap.
    """
    if status.cost is not None and status.cost.amount < 0:
        status = replace(status, cost=None)
    if status.estimate is not None and status.estimate.amount < 0:
        status = replace(status, estimate=None)
    return replace(status, state=None, ended=True) if status.state is State.FAILED and status.link else status


class _Patience:
    """Counts how long a service has given the same answer that decides nothing."""

    def __init__(self, job: Job) -> None:
        self._factor = EMULATED_PATIENCE if job.emulated else 1.0
        self._kind, self._word = "", ""
        self._polls, self._waited_s = 0, 0.0

    def waited(self, seconds: float) -> None:
        """Count a rest; what a machine sleeps does not count."""
        self._waited_s += seconds

    def ends_with(self, status: Status) -> str:
        """Return the kind of answer after which it is time to ask a person, or "" to go on."""
        kind = _kind(status)
        if kind != self._kind or (kind == "strange" and status.word != self._word):
            self._kind, self._word = kind, status.word
            self._polls, self._waited_s = 0, 0.0
        self._polls += 1
        if kind not in PATIENCE:
            return ""
        seconds, polls = PATIENCE[kind]
        # An emulated job that goes on does so by the emulator's clock, which may stand still.
        factor = self._factor if kind not in ("moving", "silent") else 1.0
        return kind if self._polls >= polls and self._waited_s >= factor * seconds else ""


def _kind(status: Status) -> str:
    """Return which kind of patience an answer needs; "" for one that decides something, or none at all."""
    if status.word.startswith(NO_ANSWER):
        return "silent"  # the network may be away all night
    if status.ended:
        return "ended"
    if status.word.startswith(UNKNOWN):
        return "unknown"
    if status.state in (State.QUEUED, State.RUNNING):
        return "moving" if status.link is None else "linked"
    return "strange" if status.state is None else ""


def _puzzle(job: Job, status: Status, kind: str) -> str:
    """Return in words what a service says of a job that nobody understands."""
    told = {
        "ended": status.error or f"the service ended it with {status.word!r}",
        "unknown": status.error or "the service no longer knows this job",
        "strange": status.error or f"the service keeps saying {status.word!r}",
        "silent": "no answer came for a day",
        "moving": f"the service has been saying {status.word!r} for a day",
    }[kind]
    return f"{told} (its id there: {job.remote_id})"


def _check_account(job: Job, wire: Wire) -> None:
    """Refuse an answer that is of another account than the job's, so that it says nothing.

    Raises:
        ConfigError: the key is another one than at the submit.
    """
    if job.account and job.account != wire.target.account:
        raise ConfigError(
            f"job {job.id[:8]} was sent with another {wire.target.provider.key_env}, and with this one the service "
            "does not know it; set the key that was used when the job was sent, and run vidnb.resume()"
        )
