"""A clip is fetched with patience: again after a pause, by a fresh link, and once more where its file is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clocks import SkippingClock
from compared import numbered
from historyjobs import a_job

from vidnb.errors import StoreError, TransportError
from vidnb.files import Files
from vidnb.jobs.download import TRIES, Downloader
from vidnb.records import Job, Link, State, Status

pytestmark = pytest.mark.anyio
DEAD = "https://clips.example/dead.mp4"


class Clock(SkippingClock):
    """Remembers how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await super().sleep(seconds)


class Bench:
    """A downloader with everything around it: a service that gives links, and one clip behind all but the dead one."""

    def __init__(self, folder: Path, polled: list[tuple[Job, Link | None]], said: Status | None = None) -> None:
        self.clock, self.content, self.asked = Clock(), numbered(frames=4), []
        self.polled, self.written = polled, {}
        store = SimpleNamespace(clock=self.clock, utc=self.clock.utc, aside=self._aside, update=self._update)
        store.get = lambda job_id: job_id
        recorder: Any = SimpleNamespace(store=store, move=self._move)
        poller: Any = SimpleNamespace(poll=self._poll, ask=self._ask)
        self.files, self.said = Files(folder), said
        self.downloader = Downloader(recorder, self.files, poller)
        self.lane: Any = SimpleNamespace(wire=SimpleNamespace(download=self._download))

    async def _aside(self, call: Any, *args: Any, **more: Any) -> Any:
        return call(*args, **more)

    def _update(self, job_id: str, **news: Any) -> None:
        self.written |= news

    async def _move(self, job: Job, to: State, **news: Any) -> Job:
        return replace(job, state=to, **news)

    async def _poll(self, job: Job, lane: Any) -> tuple[Job, Link | None]:
        return self.polled.pop(0)

    async def _ask(self, job: Job, wire: Any) -> Status | None:
        return self.said

    @asynccontextmanager
    async def _download(self, link: Link) -> AsyncIterator[Any]:
        self.asked.append(link.whole)
        if link.whole == DEAD:
            raise TransportError("the link is dead", sent=True)
        yield _Body(self.content)


class _Body:
    def __init__(self, content: bytes) -> None:
        self.announced, self._content = len(content), content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


def running(*, emulated: bool) -> Job:
    return a_job(1, {"prompt": "a koala"}, state=State.DOWNLOADING, emulated=emulated)


@pytest.mark.parametrize(("emulated", "waits"), [(False, [1, 2, 4, 8]), (True, [0.25, 0.5, 1, 2])])
async def test_a_dead_link_is_tried_after_longer_and_longer_pauses_each_time_by_a_fresh_link(
    tmp_path: Path, emulated: bool, waits: list[float]
) -> None:
    job = running(emulated=emulated)
    bench = Bench(tmp_path, [(job, Link(DEAD))] * (TRIES - 1))
    with pytest.raises(TransportError, match="the link is dead"):
        await bench.downloader.download(job, bench.lane, Link(DEAD))
    assert (bench.clock.waits, len(bench.asked), bench.polled) == (waits, TRIES, [])


async def test_a_fresh_link_brings_the_clip(tmp_path: Path) -> None:
    job = running(emulated=False)
    bench = Bench(tmp_path, [(job, Link("https://clips.example/fresh.mp4"))])
    done = await bench.downloader.download(job, bench.lane, Link(DEAD))
    assert (done.state, done.done_at) == (State.DONE, bench.clock.utc())
    assert done.clip is not None
    assert bench.files.read(done.clip.sha256, ".mp4") == bench.content


async def test_a_job_of_which_the_service_says_something_else_meanwhile_is_not_tried_again(tmp_path: Path) -> None:
    job = running(emulated=False)
    failed = replace(job, state=State.FAILED)
    bench = Bench(tmp_path, [(failed, None)])
    assert await bench.downloader.download(job, bench.lane, Link(DEAD)) is failed
    assert bench.asked == [DEAD]


async def test_a_lost_file_is_fetched_once_more_and_the_row_follows_what_came(tmp_path: Path) -> None:
    job = running(emulated=False)
    status = Status("r", State.DONE, video_url="https://clips.example/again.mp4")
    bench = Bench(tmp_path, [], status)
    await bench.downloader.again(job, bench.lane)
    clip = bench.written.pop("clip")
    assert bench.files.read(clip.sha256, ".mp4") == bench.content
    await bench.downloader.again(replace(job, clip=clip), bench.lane)
    assert bench.written == {}, "the same clip came, so there is nothing to write"


async def test_a_lost_file_that_the_service_has_no_longer_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [], Status("r", State.DONE))
    with pytest.raises(StoreError, match="was deleted, and leonardo gives no link to it now"):
        await bench.downloader.again(running(emulated=False), bench.lane)
    assert bench.asked == []
