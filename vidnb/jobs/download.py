"""Fetches the clip of a finished job, verifies it and stores it under its hash."""

from __future__ import annotations

import functools
from dataclasses import replace

from vidnb.errors import MediaError, StoreError, TransportError
from vidnb.files import Files
from vidnb.jobs.lanes import Lane
from vidnb.jobs.poll import Poller
from vidnb.jobs.recorder import Recorder
from vidnb.media import video
from vidnb.net.wire import Wire
from vidnb.records import ClipInfo, Job, Link, State

TRIES = 5


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

        Raises:
            TransportError, MediaError: no try brought the clip; the job stays as it is.
        """
        for attempt in range(TRIES):
            try:
                clip = await self._fetched(lane.wire, link)
                return await self._recorder.move(job, State.DONE, done_at=self._clock.utc(), clip=clip)
            except (TransportError, MediaError):
                if attempt == TRIES - 1:
                    # The service still has the clip: the job stays as it is, and the next call or `resume` fetches it.
                    raise
            await self._clock.sleep(min(8.0, 0.25 * 2**attempt) if job.emulated else min(30.0, 1.0 * 2**attempt))
            job, fresh = await self._poller.poll(job, lane)
            if fresh is None:
                return job
            link = fresh
        raise AssertionError("the last try returns or raises")

    async def again(self, job: Job, lane: Lane) -> Job:
        """Return the done job's row, its clip fetched once more: its file is gone, and the service may still have it.

        Raises:
            StoreError: the service no longer has it, or the data folder refuses.
            TransportError, MediaError: the download failed.
        """
        store, status = self._recorder.store, await self._poller.ask(job, lane.wire)
        if status.video_url is None:
            raise StoreError(f"the file of job {job.id[:8]} was deleted, and {job.provider} gives no link to it now")
        info = await self._fetched(lane.wire, Link(status.video_url))
        if job.clip is None or info.sha256 != job.clip.sha256:  # the service may have encoded it anew
            await store.aside(store.update, job.id, clip=info)
        return await store.aside(store.get, job.id)

    async def _fetched(self, wire: Wire, link: Link) -> ClipInfo:
        """Return what was measured of the clip behind a link, once it lies in the data folder."""
        async with wire.download(link) as body:
            check = functools.partial(video.verify_video, name="the clip that came")
            sha256, info = await self._files.receive(body, ".mp4", check, body.announced)
        return replace(info, sha256=sha256)
