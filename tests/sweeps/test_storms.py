"""Sweeps through refusals, lost replies, a service that is away and killed kernels: nothing twice, nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import emulated, no_rest, short_rest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sweeping import posts, quick, watched

import vidnb
from vidnb.client.asynchronous import AsyncClient
from vidnb.clock import Clock
from vidnb.emulator import Emulator
from vidnb.files import FREE_BYTES
from vidnb.records import State
from vidnb.store import Store
from vidnb.store.sweeps import SweepRows
from vidnb.sweeps.outlook import Group
from vidnb.sweeps.running import Run, RunProgress

pytestmark = pytest.mark.anyio
WORKERS = multiprocessing.get_context("forkserver")


async def test_a_storm_of_refusals_is_waited_out_and_each_recipe_is_accepted_once(tmp_path: Path) -> None:
    emulator, _ = watched(tmp_path, faults=["429:submit:25", "429_in_200:submit:5"])
    async with emulated(tmp_path, emulator, sleep=no_rest) as client:
        progress = await vidnb.sweep(**quick(10), client=client).run_async()
        assert (progress.word, progress.counts()) == ("done", {Group.DONE: 10})
        assert set(emulator.stats()["jobs_by_prompt"].values()) == {1}


async def test_a_service_that_is_away_is_waited_for_and_that_is_said(tmp_path: Path) -> None:
    emulator, _ = watched(tmp_path, faults=["connect_error:submit:30"])
    words: dict[str, str] = {}
    async with emulated(tmp_path, emulator, sleep=no_rest) as client:
        progress = await vidnb.sweep(**quick(4), client=client).run_async(
            on_change=lambda news, _: words.setdefault(news.word, news.why)
        )
    assert "Nothing is lost; it is tried again" in words["offline"]
    assert (progress.word, progress.counts()) == ("done", {Group.DONE: 4})
    assert emulator.stats()["jobs"] == 4


async def test_a_disk_that_fills_up_is_waited_for_and_no_clip_is_lost_or_paid_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, recorders = watched(tmp_path)
    free = [2**40]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=2**40, used=0, free=free[0]))
    words: dict[str, str] = {}

    def change(news: RunProgress, _: list[int]) -> None:
        if news.word == "offline":
            words.setdefault(news.word, news.why)
            free[0] = 2**40  # somebody makes room
        elif not words and news.counts()[Group.DONE] >= 3:
            free[0] = 2**20

    async with emulated(tmp_path, emulator, sleep=no_rest) as client:
        progress = await vidnb.sweep(**quick(12), client=client).run_async(on_change=change)
    assert "only 1 MB are left on the disk; free some space first. Nothing is lost" in words["offline"]
    assert (progress.word, progress.counts()) == ("done", {Group.DONE: 12})
    assert posts(recorders) == 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, with little more than the room that is kept free."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = FREE_BYTES + 32 * 2**20
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.long
async def test_a_real_disk_without_a_byte_left_is_waited_for_and_nothing_is_lost(
    tmp_path: Path, small_disk: Path
) -> None:
    emulator, recorders = watched(tmp_path)
    filler, why = small_disk / "filler", []

    def change(news: RunProgress, _: list[int]) -> None:
        if news.word == "offline" and filler.exists():
            why.append(news.why)
            if len(why) == 3:  # it stays full for a few tries
                filler.unlink()
        elif not why and not filler.exists() and news.counts()[Group.DONE] >= 3:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"0" * 4096)

    async with emulated(small_disk / "data", emulator) as client:
        progress = await vidnb.sweep(**quick(12), client=client).run_async(on_change=change)
        assert (progress.word, progress.counts()) == ("done", {Group.DONE: 12})
        for clip in client.history():
            assert hashlib.sha256(clip.path.read_bytes()).hexdigest() == clip.job.clip.sha256
    assert any("disk" in text and "Nothing is lost; it is tried again" in text for text in why), why
    assert posts(recorders) == 12


async def test_a_database_that_another_holds_for_long_is_waited_for(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    words: set[str] = set()
    held = sqlite3.connect(tmp_path / "vidnb.db", check_same_thread=False, timeout=0.0)

    def change(news: RunProgress, _: list[int]) -> None:
        words.add(news.why if news.word == "offline" else news.word)
        if news.counts()[Group.DONE] >= 3 and not held.in_transaction and len(words) == 1:
            held.execute("BEGIN IMMEDIATE")
            threading.Timer(3.0, held.rollback).start()

    async with emulated(tmp_path, emulator) as client:
        client.store.busy_s = 0.2
        progress = await vidnb.sweep(**quick(12), client=client).run_async(on_change=change)
        counts = progress.counts()
        assert any("Nothing is lost; it is tried again" in word for word in words), words
        assert (progress.word, counts[Group.DONE] + counts[Group.UNCLEAR]) == ("done", 12)
        assert max(emulator.stats()["jobs_by_prompt"].values()) == 1
        await client.resume()  # a job whose reply could not be written is found in the service's list
    assert posts(recorders) <= 12
    held.close()


async def test_the_job_of_a_process_that_dies_under_a_full_purse_is_taken_up(tmp_path: Path) -> None:
    emulator, _ = watched(tmp_path)
    async with emulated(tmp_path, emulator) as client, emulated(tmp_path, emulator) as other:
        sweep = vidnb.sweep(**quick(2, budget_jobs=1), client=client)
        sweep.prepare()
        run = Run(other, sweep.id, sweep.purse, sweep.plan)
        job, _ = SweepRows(other.store).claim(sweep.id, sweep.plan.jobs[0].base_url, run._row)
        host, boot, _, pid, started, _ = other.engine.leases.owner.rsplit("/", 5)
        other.store.release(job.id, other.engine.leases.owner)
        other.store.lease(job.id, f"{host}/{boot}/4026500000/{pid}/{started}/abcdef12", 1.5)  # it gives no more signs
        async with asyncio.timeout(60):
            progress = await sweep.run_async()
        assert (progress.word, progress.counts()[Group.DONE]) == ("budget", 1)


class Jumping(Clock):
    """A clock that somebody sets."""

    off_s = 0.0

    def now(self) -> float:
        return super().now() + self.off_s


@pytest.mark.parametrize("jumps", [(-7200.0, 0.0), (7200.0, -600.0)])
async def test_a_clock_that_jumps_by_hours_neither_loses_a_job_nor_sends_it_again(
    tmp_path: Path, jumps: tuple[float, float]
) -> None:
    emulator, recorders = watched(tmp_path)
    clock = Jumping()

    def change(news: RunProgress, _: list[int]) -> None:
        done = news.counts()[Group.DONE]
        clock.off_s = 0.0 if done < 3 else jumps[done >= 7]

    async with emulated(tmp_path, emulator, clock=clock) as client:
        progress = await vidnb.sweep(**quick(12), client=client).run_async(on_change=change)
        assert (progress.word, progress.counts()) == ("done", {Group.DONE: 12})
    assert posts(recorders) == 12


class Wandering(Clock):
    """A clock that somebody sets before each look at it; its waits are short, and the longest is kept."""

    longest_s = 0.0

    def __init__(self, seed: int) -> None:
        super().__init__(self._rest)
        self._dice = random.Random(seed)

    def now(self) -> float:
        return super().now() + self._dice.uniform(-7200.0, 7200.0)

    async def _rest(self, seconds: float) -> None:
        self.longest_s = max(self.longest_s, seconds)
        await short_rest(seconds)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_clock_that_is_set_before_every_look_makes_nobody_wait_for_its_return(
    tmp_path: Path, seed: int
) -> None:
    emulator, recorders = watched(tmp_path)
    clock = Wandering(seed)
    async with emulated(tmp_path, emulator, clock=clock) as client:
        progress = await vidnb.sweep(**quick(12), client=client).run_async()
        assert (progress.word, progress.counts()) == ("done", {Group.DONE: 12})
    assert posts(recorders) == 12
    assert clock.longest_s < 20.0, "one that was set back by two hours was waited for"


async def test_a_wrong_key_stops_the_sweep_after_the_first_jobs_and_a_good_one_goes_on(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path, faults=["bad_key:submit:1000"])
    async with emulated(tmp_path, emulator, max_in_flight=2) as client:
        progress = await vidnb.sweep(**quick(30), client=client).run_async()
        assert progress.word == "halted"
        assert "key" in progress.why
        assert posts(recorders) < 12
        assert progress.counts()[Group.NEW] > 15
    good, _ = watched(tmp_path)
    async with emulated(tmp_path, good) as client:
        assert (await vidnb.sweep(**quick(30), client=client).run_async()).counts() == {Group.DONE: 30}


FAULTS = ("429:submit:3", "lost_reply:submit:1", "failed:1", "502:submit:1", "moderation:submit:1", "reset:poll:2",
          "connect_error:submit:2", "cut_download:1")  # fmt: skip


@pytest.mark.long
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(
    faults=st.lists(st.sampled_from(FAULTS), max_size=4),
    cap=st.integers(2, 12),
    interrupts=st.lists(st.floats(0.05, 0.6), max_size=3),
)
async def test_whatever_happens_no_cap_is_passed_and_no_recipe_is_accepted_twice(
    faults: list[str], cap: int, interrupts: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home, count = tmp_path_factory.mktemp("storm"), 8

    async def kernels(faults: list[str], cap: int, after_s: float | None) -> None:
        """Two kernels run the sweep at once; both are interrupted after so long."""
        emulator = Emulator(home / "emulator", latency_s=0.05, faults=faults)
        async with emulated(home, emulator) as one, AsyncClient(home, emulator=emulator) as other:
            sweeps = [vidnb.sweep(**quick(count, budget_jobs=cap), client=client) for client in (one, other)]
            runs = [asyncio.create_task(sweep.run_async()) for sweep in sweeps]
            await asyncio.wait(runs, timeout=after_s)
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)

    for after_s in interrupts:
        await kernels(faults, cap, after_s)
    await kernels(faults, cap, None)
    with closing(Emulator(home / "emulator")) as books:
        accepted = books.stats()["jobs_by_prompt"]
    assert sum(accepted.values()) <= cap
    assert all(times == 1 for times in accepted.values())
    async with emulated(home) as client:
        sweep = vidnb.sweep(**quick(count, budget_jobs=1000), client=client)
        for cause in sweep.outlook.causes:
            if cause.group is not Group.UNCLEAR:
                sweep.retry(cause.name)
        progress = await sweep.run_async()
        ends = progress.counts()
        assert ends[Group.DONE] + ends[Group.UNCLEAR] == count, (ends, progress.word, progress.why)


def serve(folder: Path, pipe: Connection) -> None:
    """Run the emulator on a port until the process is ended."""
    from vidnb.emulator import running

    with running(Emulator(folder, latency_s=0.3)) as base_url:
        pipe.send(base_url)
        signal.pause()


def kernel(home: Path, base_url: str, count: int) -> None:
    """Run the sweep in a process of its own."""
    os.environ |= {"LEONARDO_BASE_URL": f"{base_url}/api/rest"}

    async def go() -> None:
        async with AsyncClient(home) as client:
            await vidnb.sweep(**quick(count), client=client).run_async()

    asyncio.run(go())


@pytest.mark.long
@pytest.mark.parametrize("count", [40, 300])
def test_a_kernel_is_killed_and_the_cell_is_run_again(tmp_path: Path, count: int) -> None:
    here, there = WORKERS.Pipe()
    service = WORKERS.Process(target=serve, args=(tmp_path / "service", there), daemon=True)
    service.start()
    try:
        base_url = here.recv()
        first, second = (WORKERS.Process(target=kernel, args=(tmp_path / "home", base_url, count)) for _ in range(2))
        for process in (first, second):
            process.start()
        with closing(Store(tmp_path / "home")) as store:
            while store.states().get(State.DONE, 0) < count // 4:
                time.sleep(0.05)
            assert first.pid is not None
            os.kill(first.pid, signal.SIGKILL)
            first.join()
            second.join()
            again = WORKERS.Process(target=kernel, args=(tmp_path / "home", base_url, count))
            again.start()
            again.join()
            jobs = store.jobs()
    finally:
        service.kill()
        service.join()
    with closing(Emulator(tmp_path / "service")) as books:
        accepted = books.stats()["jobs_by_prompt"]
    told: dict[str, Any] = {job.prompt: job for job in jobs}
    assert len(told) == len(jobs) == count
    assert set(accepted.values()) == {1}
    unclear = {prompt for prompt, job in told.items() if job.state == "ambiguous"}
    assert {prompt for prompt, job in told.items() if job.state == "done"} == set(told) - unclear
    assert set(accepted) | unclear == set(told)
