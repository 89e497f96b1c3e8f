"""Jobs advance by the clock, wait for slots, survive their process, and belong to all processes of a folder."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
from lab import OTHER_LEONARDO, V1, Lab, lab
from waiting import until

from vidnb.emulator import Emulator, RealClock, VirtualClock, core
from vidnb.emulator.ahead import Ahead
from vidnb.emulator.scenes import Footage
from vidnb.emulator.state import EmulatedJob

pytestmark = pytest.mark.anyio

WORKERS = multiprocessing.get_context("spawn")


async def complete(it: Lab, ids: list[str]) -> int:
    found = [await it.generation(job_id) for job_id in ids]
    return sum(one["status"] == "COMPLETE" for one in found)


class EndingFootage(Footage):
    """Cannot render, as in an interpreter that is ending."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    def clip(self, job: EmulatedJob) -> Path:
        self.tried.append(job.id)
        raise RuntimeError("cannot schedule new futures after shutdown")


async def test_rendering_ahead_ends_without_a_word_when_the_interpreter_does(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    async with lab(latency_s=10) as it:
        jobs = [it.emulator.state.job(await it.job(prompt=prompt)) for prompt in ("a koala", "a fox")]
    footage = EndingFootage()
    ahead = Ahead(footage)
    for job in jobs:
        assert job is not None
        ahead.expect(job)
        until(lambda wanted=job.id: wanted in footage.tried)
    ahead.close()
    assert (footage.tried, told) == ([job.id for job in jobs if job], [])


async def test_jobs_beyond_the_slots_wait_their_turn() -> None:
    async with lab(slots=2, latency_s=10) as it:
        ids = [await it.job(prompt=f"clip {n}") for n in range(5)]
        seen = []
        for _ in range(4):
            seen.append(await complete(it, ids))
            it.wait(10)
        assert seen == [0, 2, 4, 5]


async def test_a_short_job_frees_its_slot_before_a_long_one() -> None:
    latencies = {"leonardo/motion_2.0": 100, "leonardo/motion_2.0-fast": 10}
    async with lab(slots=2, latency_s=latencies) as it:
        long, *short = [await it.job(model) for model in ("motion_2.0", *["motion_2.0-fast"] * 3)]
        it.wait(30)
        assert await complete(it, short) == 3
        assert await complete(it, [long]) == 0


async def test_slots_are_each_accounts_own() -> None:
    async with lab(slots=1, latency_s=10) as it:
        await it.job()
        body = {"model": "motion_2.0", "parameters": {"prompt": "x"}}
        reply = await it.post("/api/rest/v2/generations", body, OTHER_LEONARDO)
        it.wait(10)
        shown = await it.get(f"{V1}/generations/{reply.json()['generate']['generationId']}", OTHER_LEONARDO)
        assert shown.json()["generations_by_pk"]["status"] == "COMPLETE"


async def test_speed_divides_latency_and_the_model_decides_it() -> None:
    async with lab(speed=10) as it:
        slow, fast = await it.job("motion_2.0"), await it.job("motion_2.0-fast")
        it.wait(2.6)
        assert (await complete(it, [fast]), await complete(it, [slow])) == (1, 0)
        it.wait(2)
        assert await complete(it, [slow]) == 1


async def test_a_job_survives_its_process(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with lab(tmp_path, clock=clock) as it:
        job_id = await it.job(width=832, height=480)
    clock.advance(1000)
    async with lab(tmp_path, clock=clock) as it:
        [image] = (await it.generation(job_id))["generated_images"]
        assert (await it.client.get(image["motionMP4URL"])).status_code == 200


async def test_a_clip_that_many_ask_for_is_rendered_once() -> None:
    async with lab() as it:
        url = (await it.finished(await it.job(width=832, height=480)))["motionMP4URL"]
        replies: list[bytes] = []

        async def fetch() -> None:
            replies.append((await it.client.get(url)).content)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(fetch)
        assert len(set(replies)) == 1
        assert it.emulator.footage.rendered == 1


async def test_a_clip_is_rendered_while_its_job_runs() -> None:
    async with lab(clock=RealClock(), latency_s=100) as it:
        job_id = await it.job(width=832, height=480)
        clips = it.emulator.folder / "clips"
        with anyio.fail_after(60):
            while {path.suffix for path in clips.glob("*.*")} != {".mp4", ".jpg"}:  # noqa: ASYNC110 - a thread's work
                await anyio.sleep(0.01)
        assert (await it.generation(job_id))["status"] == "PENDING"


async def test_counts_tell_posts_jobs_bodies_and_who_saw_which_header() -> None:
    async with lab() as it:
        await it.upload()
        for prompt in ("one", "one", "two"):
            job_id = await it.job(prompt=prompt, width=832, height=480)
        image = await it.finished(job_id)
        await it.client.get(image["motionMP4URL"])
        stats = (await it.client.get("/_emulator/stats")).json()
        assert stats == it.emulator.stats()
        assert stats["requests"]["POST /api/rest/v2/generations"] == 3
        assert (stats["jobs"], stats["jobs_by_prompt"]) == (3, {"one": 2, "two": 1})
        assert sorted(stats["jobs_by_body"].values()) == [1, 2]
        assert stats["downloads"] == 1
        assert "authorization" in stats["headers"]["api"]
        for host in ("upload", "cdn"):
            assert not {"authorization", "api-key"} & set(stats["headers"][host])


async def test_the_front_page_says_that_nothing_is_real() -> None:
    async with lab() as it:
        assert "Nothing is real" in (await it.client.get("/")).text


def work(folder: Path, count: int) -> None:
    """Submit jobs from a process of its own."""

    async def submit() -> None:
        async with lab(folder, clock=RealClock(), slots=4, latency_s=100, render_ahead=False) as it:
            for n in range(count):
                await it.job(prompt=f"clip {n}")

    anyio.run(submit)


def slots_kept(emulator: Emulator, slots: int) -> bool:
    """True where no more than `slots` jobs run at any one time."""
    rows = emulator.state._rows("select starts_at, done_at from jobs order by starts_at")
    return all(sum(start <= moment < end for start, end in rows) <= slots for moment, _ in rows)


def test_two_processes_and_their_threads_share_one_folder(tmp_path: Path) -> None:
    processes = [WORKERS.Process(target=work, args=(tmp_path, 25)) for _ in range(2)]
    threads = [threading.Thread(target=work, args=(tmp_path, 25)) for _ in range(2)]
    workers: list[Any] = [*processes, *threads]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [process.exitcode for process in processes] == [0, 0]
    with Emulator(tmp_path) as emulator:
        stats: dict[str, Any] = emulator.stats()
        assert (stats["jobs"], stats["operations"]["leonardo submit"]) == (100, 100)
        assert len(emulator.state.jobs_by("seed")) == 100
        assert slots_kept(emulator, 4)


async def test_a_clip_that_is_slow_to_render_is_told_once_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain client gives up after 5 s: it polls a little longer, and its download answers at once."""
    monkeypatch.setattr(core, "LONGEST_ANSWER_S", 0.05)
    door, real = threading.Event(), Footage.clip

    def slow(self: Footage, job: EmulatedJob) -> Path:
        door.wait(60)
        return real(self, job)

    monkeypatch.setattr(Footage, "clip", slow)
    async with lab(tmp_path, clock=RealClock(), latency_s=0) as it:
        job_id = await it.job()
        assert (await it.generation(job_id))["status"] == "PENDING"
        door.set()
        with anyio.fail_after(60):
            while (shown := await it.generation(job_id))["status"] == "PENDING":  # noqa: ASYNC110  # as a client does
                await anyio.sleep(0.01)
        clip = await it.client.get(shown["generated_images"][0]["motionMP4URL"], timeout=5)
        assert clip.content[4:8] == b"ftyp"
