"""One list that answers for many jobs: fewer requests, and never a wrong word about any of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from clocks import TestClock
from fakes import CANARY, ONEMIN, QUICK, Scripted, emulated, no_rest

from vidnb import providers
from vidnb.client.asynchronous import AsyncClient
from vidnb.emulator import Emulator, Fault
from vidnb.jobs.listing import LONGEST, QUIET_S, SEVERAL, SPARE, Listing
from vidnb.net.target import target
from vidnb.net.wire import Wire
from vidnb.providers.conformance import ProviderConformance
from vidnb.records import State, Status

pytestmark = pytest.mark.anyio

LEONARDO = providers.get("leonardo")
IDS = [f"1f1a06db-37cd-6c60-9cac-18271700000{number}" for number in range(6)]
ME = {"user_details": [{"user": {"id": "0f5e1d2c-3b4a-4958-8676-a5b4c3d2e1f0"}}]}
CLIP = [{"id": "x", "motionMP4URL": "https://cdn.leonardo.ai/clip.mp4"}]
LONG = 1e9


def entry(remote_id: str, status: str, images: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"id": remote_id, "status": status, "generated_images": images or []}


class Service:
    """A listing of `entries`, and a count of what was asked for."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.entries = entries
        self.asked: Counter[str] = Counter()
        self.limits: list[int] = []
        self.broken = False
        self.transport = Scripted(self._answer)
        self.clock = TestClock()
        self.takes_s = 0.0
        self.listing = Listing(Wire(target(LEONARDO, key=CANARY), self.transport, retries=False), self.clock)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        what = "me" if request.url.path.endswith("/me") else "list"
        self.asked[what] += 1
        self.clock.forward(self.takes_s)
        if what == "list":
            self.limits.append(int(request.url.params["limit"]))
        if self.broken:
            return httpx.Response(503)
        return httpx.Response(200, json=ME if what == "me" else {"generations": self.entries})

    def follow(self, *remote_ids: str) -> ExitStack:
        stack = ExitStack()
        for remote_id in remote_ids:
            stack.enter_context(self.listing.following(ProviderConformance().job(LEONARDO, remote_id)))
        return stack

    async def status(self, remote_id: str, after: float = 0.0, within_s: float = LONG) -> Status | None:
        return await self.listing.status(remote_id, after=after, within_s=within_s)


async def test_one_list_answers_for_all_who_ask_at_the_same_time() -> None:
    service = Service([entry(remote_id, "PENDING") for remote_id in IDS])
    with service.follow(*IDS):
        found = await asyncio.gather(*(service.status(remote_id) for remote_id in IDS))
    assert [status and (status.remote_id, status.state) for status in found] == [(i, State.RUNNING) for i in IDS]
    assert service.asked == {"me": 1, "list": 1}
    assert service.limits[0] >= len(IDS)


async def test_a_finished_job_comes_with_its_link() -> None:
    service = Service([entry(IDS[0], "COMPLETE", CLIP)])
    with service.follow(*IDS):
        status = await service.status(IDS[0])
    assert status is not None
    assert (status.state, status.video_url) == (State.DOWNLOADING, "https://cdn.leonardo.ai/clip.mp4")


@pytest.mark.parametrize("listed", [entry(IDS[0], "FAILED"), entry(IDS[0], "COMPLETE"), entry(IDS[0], "PAUSED"),
                                    entry(IDS[0], ""), {"id": IDS[0]}])  # fmt: skip
async def test_what_is_not_clear_is_left_to_a_read_of_its_own(listed: dict[str, Any]) -> None:
    service = Service([listed, entry(IDS[1], "PENDING")])
    with service.follow(*IDS):
        assert await service.status(IDS[0]) is None


async def test_a_job_that_the_list_lacks_is_not_looked_for_there_again() -> None:
    service = Service([entry(remote_id, "PENDING") for remote_id in IDS[1:]])
    with service.follow(*IDS):
        assert await service.status(IDS[0]) is None
        assert not service.listing.covers(IDS[0])
        assert await service.status(IDS[1])
    assert service.asked["list"] == 1


async def test_an_older_list_than_the_last_news_of_a_job_is_read_anew() -> None:
    service = Service([entry(IDS[0], "PENDING")])
    with service.follow(*IDS):
        await service.status(IDS[0])
        service.entries = [entry(IDS[0], "COMPLETE", CLIP)]
        service.clock.forward(1)
        again = await service.status(IDS[0], after=service.clock.monotonic())
    assert again is not None
    assert again.state is State.DOWNLOADING
    assert service.asked == {"me": 1, "list": 2}


async def test_a_list_that_is_too_old_is_read_anew() -> None:
    service = Service([entry(IDS[0], "PENDING")])
    with service.follow(*IDS):
        await service.status(IDS[0])
        service.clock.forward(1)
        await service.status(IDS[0], within_s=0.5)
    assert service.asked["list"] == 2


async def test_a_slow_list_is_read_less_often() -> None:
    service = Service([entry(IDS[0], "PENDING")])
    service.takes_s = 0.2
    with service.follow(*IDS):
        await service.status(IDS[0])
        service.clock.forward(1)
        await service.status(IDS[0], within_s=0.5)
        assert service.asked["list"] == 1
        service.takes_s = 30.0
        service.clock.forward(service.listing.pace_s)
        await service.status(IDS[0], within_s=0.5)
        assert service.asked["list"] == 2
    assert service.listing.pace_s < 10, "and yet it is read"


async def test_few_jobs_are_read_one_by_one() -> None:
    service = Service([entry(remote_id, "PENDING") for remote_id in IDS])
    with service.follow(*IDS[: SEVERAL - 1]):
        assert await service.status(IDS[0]) is None
    assert not service.asked


async def test_after_a_list_that_failed_jobs_are_read_by_themselves_for_a_while() -> None:
    service = Service([entry(remote_id, "PENDING") for remote_id in IDS])
    service.broken = True
    with service.follow(*IDS):
        assert [await service.status(remote_id) for remote_id in IDS] == [None] * len(IDS)
        assert service.asked.total() == 1
        service.broken = False
        service.clock.forward(QUIET_S - 1)
        assert await service.status(IDS[0], after=service.clock.monotonic()) is None
        assert service.asked.total() == 1, "and none is tried meanwhile"
        service.clock.forward(1)
        assert await service.status(IDS[0], after=service.clock.monotonic()), "nobody counts as absent for that"


async def test_an_empty_list_is_a_list_that_failed() -> None:
    service = Service([])
    with service.follow(*IDS):
        assert await service.status(IDS[0]) is None
        assert await service.status(IDS[1], after=service.clock.monotonic() + 1) is None
    assert service.asked["list"] == 1


async def test_jobs_that_are_over_no_longer_make_a_list_worth_its_while() -> None:
    service = Service([entry(remote_id, "PENDING") for remote_id in IDS[:SEVERAL]])
    with service.follow(*IDS[: SEVERAL - 1]):
        with service.follow(*IDS[SEVERAL - 1 : SEVERAL]):
            assert service.listing.covers(IDS[0])
        assert not service.listing.covers(IDS[0])


async def test_a_job_that_was_absent_and_is_followed_anew_is_looked_for_again() -> None:
    service = Service([entry(remote_id, "PENDING") for remote_id in IDS[1:]])
    with service.follow(*IDS[1:]):
        with service.follow(IDS[0]):
            await service.status(IDS[0])
            assert not service.listing.covers(IDS[0])
        with service.follow(IDS[0]):
            assert service.listing.covers(IDS[0])


async def test_the_list_is_as_long_as_the_most_jobs_at_once_and_never_too_long() -> None:
    service = Service([entry(remote_id, "PENDING") for remote_id in IDS])
    with service.follow(*IDS):
        pass
    with service.follow(*IDS[:SEVERAL]):
        await service.status(IDS[0])
    assert service.limits == [len(IDS) + SPARE]
    with service.follow(*(f"1f1a06db-37cd-6c60-9cac-18271701{number:04}" for number in range(LONGEST + 1))):
        await service.status(f"1f1a06db-37cd-6c60-9cac-18271701{0:04}", after=service.clock.monotonic() + 1)
    assert service.limits[1] == LONGEST


async def test_one_who_stops_asking_leaves_the_others_their_answer() -> None:
    service = Service([entry(remote_id, "PENDING") for remote_id in IDS])
    with service.follow(*IDS):
        first, second = (asyncio.create_task(service.status(remote_id)) for remote_id in IDS[:2])
        await asyncio.sleep(0)
        first.cancel()
        assert await second


async def test_many_jobs_cost_fewer_requests_than_polls_and_each_gets_its_own_clip(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", latency_s=0.5, slots=12)
    async with emulated(tmp_path, emulator, max_in_flight=12) as client:
        jobs = [await client.submit(f"koala {number}", **QUICK) for number in range(12)]
        clips = [await client.wait(job) for job in jobs]
        counts = emulator.stats()["operations"]
        rows = client.jobs(limit=None)
    assert len({clip.info.sha256 for clip in clips}) == 12
    assert {row.remote_id: row.clip for row in rows} == {clip.job.remote_id: clip.job.clip for clip in clips}
    assert counts["leonardo submit"] == 12
    assert counts["leonardo account"] == 1
    assert counts["leonardo list"] + counts.get("leonardo poll", 0) < sum(row.polls for row in rows)


async def test_a_service_whose_list_is_broken_still_gives_every_clip(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", latency_s=0.2, slots=6, faults=[Fault("503", on="list")])
    async with emulated(tmp_path, emulator) as client:
        jobs = [await client.submit(f"koala {number}", **QUICK) for number in range(6)]
        assert [(await client.wait(job)).job.state for job in jobs] == [State.DONE] * 6


async def test_a_service_without_a_list_is_asked_about_each_job(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", latency_s=0.1, slots=6)
    async with emulated(tmp_path, emulator) as client:
        jobs = [await client.submit(f"a koala {number}", **ONEMIN) for number in range(4)]
        assert [(await client.wait(job)).job.state for job in jobs] == [State.DONE] * 4


async def test_a_failed_job_among_many_fails_with_its_reason_alone(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", latency_s=0.2, slots=6, faults=["failed:submit:1"])
    async with emulated(tmp_path, emulator) as client:
        await asyncio.gather(*[client.submit(f"koala {number}", **QUICK) for number in range(6)])
        rows = await client.resume()
    ends = Counter(row.state for row in rows)
    assert ends == {State.DONE: 5, State.FAILED: 1}
    assert all("no reason" in row.error["message"] for row in rows if row.error)


async def test_a_key_that_is_refused_stops_the_jobs_as_before(tmp_path: Path) -> None:
    """The list swallows its own errors; the job's own read says what they mean."""
    made = iter(IDS)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"generate": {"generationId": next(made)}})
        return httpx.Response(500, json={"error": "Invalid response from authorization hook", "code": "unexpected"})

    keys = {"leonardo": CANARY}
    async with AsyncClient(tmp_path, keys=keys, transport=Scripted(answer), sleep=no_rest) as client:
        for number in range(4):
            await client.submit(f"koala {number}", **QUICK)
        rows = await client.resume()
    assert {row.state for row in rows} == {State.RUNNING}
