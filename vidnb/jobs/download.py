"""Fetches the clip of a finished job, verifies it and stores it under its hash."""

from __future__ import annotations

import asyncio
import functools
import logging
from dataclasses import replace
from datetime import timedelta

from vidnb.errors import MediaError, ProviderError, StoreError, TransportError
from vidnb.files import Files
from vidnb.jobs.lanes import Lane
from vidnb.jobs.poll import Poller
from vidnb.jobs.recorder import Recorder
from vidnb.media import video
from vidnb.net.wire import Wire
from vidnb.records import ClipInfo, Job, Link, State

log = logging.getLogger("vidnb")

TRIES = 5
EARLY_S = 3.0
"""A link that ends within so many seconds may have ended when its first byte is asked for."""
PREVIEW_TIMEOUT_S, PREVIEW_BYTES = 5.0, 2**20
MOST_OUTPUTS = 16
"""So many further clips of one job are fetched: no service makes more at once, and a list may be endless."""


class Downloader:
    """Brings clips into the data folder.

    Args:
        recorder: writes the rows.
        files: the clips and inputs.
        poller: asks for a fresh link where one is dead.
    """

    def __init__(self, recorder: Recorder, files: Files, poller: Poller) -> None:
        self._recorder = recorder
        self._files = files
        self._poller = poller
        self._clock = recorder.store.clock

    async def download(self, job: Job, lane: Lane, link: Link) -> Job:
        """Return the done job's row; where a link is dead, the row as the next poll left it.

        A service that says of every link that the clip was deleted ends the job: it was made and paid, and is lost.

        Raises:
            TransportError, MediaError: no try brought the clip; the job stays as it is.
        """
        clip = None
        if self._has_ended(link):
            # Once: whether the next one has ended as well is for the service to say, as clocks differ.
            job, fresh = await self._poller.poll(job, lane)
            if fresh is None:
                return job
            link = fresh
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                clip = clip or await self._fetched(lane.wire, link)
                outputs, note = await self._further(job, lane.wire, link, must_end=last)
                return await self._recorder.move(
                    job, State.DONE, done_at=self._recorder.store.utc(), clip=clip, outputs=outputs, note=note
                )
            except (TransportError, MediaError) as error:
                if last and clip is None and isinstance(error, TransportError) and error.gone:
                    return await self._recorder.fail(job, _gone(job))
                if last:
                    # The service still has the clip: the job stays as it is, and the next call or `resume` fetches it.
                    raise
            await self._clock.sleep(min(8.0, 0.25 * 2**attempt) if job.emulated else min(30.0, 1.0 * 2**attempt))
            job, fresh = await self._poller.poll(job, lane)
            if fresh is None:
                return job
            link = fresh
        raise AssertionError("the last try returns or raises")

    def _has_ended(self, link: Link) -> bool:
        return link.ends_at is not None and self._clock.utc() + timedelta(seconds=EARLY_S) >= link.ends_at

    async def again(self, job: Job, lane: Lane) -> Job:
        """Return the done job's row, its clip fetched once more: its file is gone, and the service may still have it.

        Raises:
            StoreError: the service no longer has it, or the data folder refuses.
            TransportError, MediaError: the download failed.
        """
        store, status = self._recorder.store, await self._poller.ask(job, lane.wire)
        link = status.link
        if link is None:
            raise StoreError(f"the file of job {job.id[:8]} was deleted, and {job.provider} gives no link to it now")
        info = await self._fetched(lane.wire, link)
        if job.clip is None or info.sha256 != job.clip.sha256:  # the service may have encoded it anew
            await store.aside(store.update, job.id, clip=info)
        if job.outputs:
            outputs, _ = await self._further(job, lane.wire, link, must_end=True)
            if len(outputs) == len(job.outputs):
                await store.aside(store.update, job.id, outputs=outputs)
        return await store.aside(store.get, job.id)

    async def preview(self, job: Job, lane: Lane) -> bytes | None:
        """Return a small picture of how far a running job is; None where its service has none at this moment."""
        where = lane.wire.target.provider.preview(job)
        if where is None or job.remote_id is None:
            return None
        picture = bytearray()
        try:
            async with asyncio.timeout(PREVIEW_TIMEOUT_S), lane.wire.download(where, once=True) as body:
                async for chunk in body:
                    picture += chunk
                    if len(picture) > PREVIEW_BYTES:
                        return None
        except (TransportError, TimeoutError):
            return None
        return bytes(picture) or None

    async def _further(
        self, job: Job, wire: Wire, link: Link, *, must_end: bool
    ) -> tuple[tuple[ClipInfo, ...], str]:
        """Return the job's further clips, and a note for its events where one cannot be had.

        Raises:
            TransportError, MediaError: one did not come, and `must_end` is False.
        """
        found: dict[str, ClipInfo] = {}
        missing = ""
        for url in link.more[:MOST_OUTPUTS]:
            try:
                info = await self._fetched(wire, Link(url))
            except (TransportError, MediaError) as error:
                if not must_end:
                    raise
                # The clip that was asked for is there: one that came beside it must not hold the job up for ever.
                missing = f"a further clip of this job could not be fetched: {error}"
                log.warning("job %s: %s", job.id[:8], missing)
            else:
                found[info.sha256] = info
        return tuple(found.values()), missing

    async def _fetched(self, wire: Wire, link: Link) -> ClipInfo:
        """Return what was measured of the clip behind a link, once it lies in the data folder."""
        async with wire.download(link) as body:
            check = functools.partial(video.verify_video, name="the clip that came")
            sha256, info = await self._files.receive(body, ".mp4", check, body.announced)
        return replace(info, sha256=sha256)


def _gone(job: Job) -> ProviderError:
    """Return why a job failed whose clip was made, and deleted at the service before it was fetched."""
    error = ProviderError("the service made the clip and deleted it since (HTTP 410)", provider=job.provider)
    error.charged, error.why = True, "gone"
    return error
