"""Looks for a job whose submit got no reply in the service's own list of recent jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from vidnb.errors import IllegalTransitionError, JobError, RejectedError
from vidnb.jobs.lanes import Lane, Lanes
from vidnb.jobs.listing import converse
from vidnb.jobs.matching import fits, is_sure, unlike
from vidnb.jobs.poll import Poller
from vidnb.jobs.recorder import CALLED, FOUND, Recorder
from vidnb.providers.replies import as_id, server_time
from vidnb.records import Call, Job, RemoteJob, Reply, State

LOOKBACK = 100
"""So many of the newest entries of the list are looked through."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
LOOK_AGAIN_S = (3.0, 7.0)
"""Waits between two readings of the list. A new job may be listed late, and an early entry may be somebody else's: so a
job is attached only to an entry that was the single match in two readings in a row."""
EMULATED_LOOK_AGAIN_S = (0.1, 0.1)


class Reconciler:
    """Attaches ambiguous jobs to what the service lists.

    Args:
        recorder: writes the rows.
        lanes: the way to the services.
        poller: asks about a job that the service has.
    """

    def __init__(self, recorder: Recorder, lanes: Lanes, poller: Poller) -> None:
        self._recorder = recorder
        self._lanes = lanes
        self._poller = poller
        self._clock = recorder.store.clock

    async def reconcile(self, job: Job) -> Job:
        """Return the job's row after a look into the list; it is attached when only one entry can be it.

        A provider without such a list, a list without the job, or one with more jobs that fit than are missing here
        (another tool, another data folder) leaves it ambiguous: a person decides. A job that has a remote id already,
        but no clip that anybody could find, is asked about once more instead.
        """
        if job.state is not State.AMBIGUOUS:
            return job
        lane = self._lanes.of(job)
        if job.remote_id is not None:
            return (await self._poller.look(job, lane))[0]
        if (named := await self._recorder.called(job)) is not None:
            return await self._attached(job, named, CALLED) or await self._newest(job)
        before: set[str] = set()
        for wait_s in (*(EMULATED_LOOK_AGAIN_S if job.emulated else LOOK_AGAIN_S), None):
            fitting, sure = await self._fitting(job, lane)
            if fitting is None:
                return await self._newest(job)
            seen = {remote.remote_id for remote in fitting}
            if sure and seen and seen == before:
                return await self._attach(job, fitting)
            before = seen
            if wait_s is None:
                break
            await self._clock.sleep(wait_s)
            job = await self._newest(job)
            if job.state is not State.AMBIGUOUS:  # a person was quicker
                return job
        return await self._newest(job)

    async def vouch(self, job: Job, remote_id: str) -> str:
        """Return the remote id that a person gave, in its plain form, once the service was asked about it.

        Raises:
            JobError: it is no id, the service does not know it, or it is another job's; nothing was changed.
            TransportError, ProviderError: the service could not be asked.
        """
        plain = as_id(remote_id) if isinstance(remote_id, str) else None
        if plain is None:
            given = repr(remote_id)[:80]
            raise JobError(f"{given} is no id of a job at {job.provider}; copy it from the web app, whole", job)
        wire = self._lanes.of(job).wire
        provider, asked = wire.target.provider, Job(**{**vars(job), "remote_id": plain})
        reply = await wire.call(provider.poll(asked))
        try:
            status = provider.polled(reply, asked)
        except RejectedError as error:
            raise JobError(f"{provider.title} does not take {plain!r} for a job: {error}", job) from None
        if status.word == "null record":
            raise JobError(
                f"{provider.title} has no job with the id {plain!r} on this account; nothing was changed", job
            )
        remote = provider.described(reply, asked)
        why = unlike(job, remote) if remote is not None else ""
        if why:
            raise JobError(f"{plain!r} is another job at {provider.title}: {why}; nothing was changed", job)
        # Many services take an id in capitals for the same id. Our rows have it in one form, so that it is seen when
        # another job has it already.
        written = remote.remote_id if remote is not None else plain.lower() if _UUID.fullmatch(plain) else plain
        return written if written.lower() == plain.lower() else plain

    async def _fitting(self, job: Job, lane: Lane) -> tuple[Sequence[RemoteJob] | None, bool]:
        """Return what the list has that can be this job, and whether each entry surely is one of ours.

        None where nobody can say: there is no list, another submit may be meant, or more fit than are missing.
        """
        store, wire, ahead_s = self._recorder.store, lane.wire, None

        async def answer(call: Call) -> Reply:
            nonlocal ahead_s
            reply = await wire.call(call)
            if (told := server_time(reply)) is not None:
                ahead_s = (told - store.utc()).total_seconds()
            elif wire.target.in_process:
                ahead_s = 0.0
            return reply

        exchange = wire.target.provider.recent(LOOKBACK, [job])
        if exchange is None:
            return None, False
        listed = {remote.remote_id: remote for remote in await converse(answer, exchange)}  # pages may overlap
        others = [other for other in await store.aside(store.unfinished, job.provider) if other.id != job.id]
        if any(_is_rival(job, other) for other in others):
            return None, False
        wrong = await self._recorder.wrong_guesses(job)
        fitting = [
            remote for remote in listed.values()
            if remote.remote_id not in wrong and fits(job, remote, ahead_s)
            and await store.aside(store.by_remote, job.provider, remote.remote_id) is None
        ]  # fmt: skip
        alike = [other for other in others if other.recipe_hash == job.recipe_hash and _is_lost(other)]
        if len(fitting) > 1 + len(alike):
            return None, False
        lost_at = await self._recorder.lost_at(job)
        return fitting, all(is_sure(job, remote, ahead_s, lost_at) for remote in fitting)

    async def _newest(self, job: Job) -> Job:
        store = self._recorder.store
        return await store.aside(store.get, job.id)

    async def _attach(self, job: Job, fitting: Sequence[RemoteJob]) -> Job:
        """Return the job's row, attached to the entry that was made nearest to its submit."""
        began = job.submitted_at or job.created_at
        for remote in sorted(fitting, key=lambda remote: abs(((remote.created_at or began) - began).total_seconds())):
            if (attached := await self._attached(job, remote.remote_id, FOUND)) is not None:
                return attached
        return await self._newest(job)

    async def _attached(self, job: Job, remote_id: str, note: str) -> Job | None:
        """Return the job's row, attached to this id; None where another job has it, or it was settled meanwhile."""
        store = self._recorder.store
        try:
            attached = await store.aside(store.attach, job.id, remote_id, note)
        except IllegalTransitionError:
            return None
        if attached is not None:
            self._recorder.on_change(attached)
        return attached


def _is_lost(job: Job) -> bool:
    """Return whether the reply to the job's submit was lost, so that nobody knows its id."""
    return job.state is State.AMBIGUOUS and job.remote_id is None


def _is_rival(job: Job, other: Job) -> bool:
    """Return whether a listed job could as well be that other one, so that nobody can say whose it is.

    Ambiguous takes of one recipe are no rivals: their clips are interchangeable. A submit under way is one always, as
    its remote id will be known in a moment.
    """
    if other.prompt != job.prompt or not (other.state is State.SUBMITTING or _is_lost(other)):
        return False
    if _is_lost(other) and other.recipe_hash == job.recipe_hash:
        return False
    if abs((other.submitted_at or other.created_at) - (job.submitted_at or job.created_at)) > LONGEST_APART:
        return False
    told = ("seed", "width_px", "height_px")
    return all(job.params.get(name) == other.params.get(name) for name in told)


LONGEST_APART = timedelta(seconds=600)
"""Two submits further apart than this cannot be the same entry of a list."""
