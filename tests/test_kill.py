"""Kill -9 at random moments: no second POST for one job, no job forgotten, every finished clip fetched.

The emulator runs in a process of its own, on a port, and counts for itself. Clients are forked from a server that has
vidnb imported already, so that a kill falls into the work and not into the imports. `--kills` asks for more.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx
import pytest

from vidnb.records import State

WORKERS = multiprocessing.get_context("forkserver")
WORKERS.set_forkserver_preload(
    [
        "vidnb.client.asynchronous",
        "vidnb.history.history",
        "vidnb.store.pace",
        "vidnb.media.video",
        "vidnb.emulator.server",
        "vidnb.emulator.app",
        "sqlalchemy.dialects.sqlite",
        "anyio._backends._asyncio",
        "warmed",
    ]
)
LEONARDO = {
    "model": "leonardo/google/gemini-omni-1.1-flash-preview",
    "width_px": 640,
    "height_px": 360,
    "duration_s": 3,
}
ONEMIN = {"model": "1min/damo", "num_frames": 16, "fps": 8, "steps": 10}
REPLICATE = {"model": "replicate/wan-video/wan-2.2-t2v-fast", "num_frames": 81, "resolution": "480p"}
FAL = {"model": "fal/fal-ai/pixverse/v6/text-to-video", "duration_s": 1, "resolution": "360p"}
RUNWAY = {"model": "runway/gemini_omni_flash_1.1", "width_px": 640, "height_px": 360, "duration_s": 3}
OPENROUTER = {"model": "openrouter/x-ai/grok-imagine-video", "resolution": "480p", "duration_s": 1}
LOCAL = {"model": "local/ltx-video", "width_px": 128, "height_px": 64, "num_frames": 9}
JOBS = (ONEMIN, LEONARDO, REPLICATE, FAL, RUNWAY, OPENROUTER, LOCAL)
AT_ONCE = 2
"""So many clients work on the folder until each is killed: they also take up what the other one leaves behind."""
WITHOUT_LIST = ("1min", "runway", "openrouter")


def serve(folder: Path, pipe: Connection) -> None:
    """Run the emulator on a port until the process is ended."""
    from vidnb.emulator import Emulator, running

    with running(Emulator(folder, latency_s=0.15)) as base_url:
        pipe.send(base_url)
        signal.pause()


def work(home: Path, base_url: str, batch: int, pipe: Connection) -> None:
    """Take up what others left, begin a job of each service, and wait for all of them."""
    os.environ |= _addresses(base_url)
    from vidnb.client.asynchronous import AsyncClient

    async def go() -> None:
        async with AsyncClient(home) as client:
            pipe.send("started")
            for number, values in enumerate(JOBS):
                await client.submit(f"clip {batch}.{number}", **values)
            await client.resume()

    asyncio.run(go())


@contextmanager
def working(home: Path, base_url: str, batches: Sequence[int]) -> Iterator[list[ForkServerProcess]]:
    """Give clients that work on one folder, each at its own batch, once all have begun; they end with the block."""
    pipes = [WORKERS.Pipe() for _ in batches]
    processes = [
        WORKERS.Process(target=work, args=(home, base_url, batch, there), daemon=True)
        for batch, (_, there) in zip(batches, pipes, strict=True)
    ]
    for process in processes:
        process.start()
    try:
        for here, _ in pipes:
            assert here.poll(60), "a client's process did not start"
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


@pytest.fixture
def emulator_url(tmp_path: Path) -> Iterator[str]:
    here, there = WORKERS.Pipe()
    process = WORKERS.Process(target=serve, args=(tmp_path / "service", there), daemon=True)
    process.start()
    assert here.poll(60), "the emulator's process did not start"
    yield here.recv()
    process.kill()
    process.join()


def test_no_kill_costs_a_second_post_or_loses_a_clip(
    tmp_path: Path, emulator_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, kills = tmp_path / "vidnb-data", request.config.getoption("--kills")
    dice = random.Random(20261121)
    with working(home, emulator_url, [0]) as (first,):  # it lives, and shows how long the work takes here today
        began = time.monotonic()
        first.join(60)
        whole_s = min(max(time.monotonic() - began, 0.5), 3.0)
    for batch in range(1, kills, AT_ONCE):
        with working(home, emulator_url, range(batch, min(batch + AT_ONCE, kills))) as processes:
            began = time.monotonic()
            moments = sorted(dice.uniform(0.0, whole_s) for _ in processes)
            for process, moment in zip(processes, moments, strict=True):
                time.sleep(max(0.0, began + moment - time.monotonic()))
                process.kill()

    for name, address in _addresses(emulator_url).items():
        monkeypatch.setenv(name, address)
    rows = asyncio.run(_finish(home))
    waiting = [f"{row.model} {row.state} {row.error}" for row in rows if row.is_moving]
    assert not waiting, "jobs that were taken up did not come to their end"
    stats = httpx.get(f"{emulator_url}/_emulator/stats").json()
    made = stats["jobs_by_prompt"]

    assert max(made.values()) == 1, "a job was paid twice"
    assert set(made) <= {row.prompt for row in rows}, "the service has a job that nobody remembers"
    assert len({row.prompt for row in rows}) == len(rows)
    assert len(rows) >= kills / 3, "too many kills came before there was any work; some do, on a busy machine"
    for row in rows:
        if row.state is State.DONE:
            name = row.clip.sha256
            content = (home / "files" / name[:2] / f"{name}.mp4").read_bytes()
            assert hashlib.sha256(content).hexdigest() == name
        else:
            # What has no clip was in the middle of its submit, and is still asked about.
            assert row.state is State.AMBIGUOUS, row.error
            assert row.provider in WITHOUT_LIST or row.prompt not in made
    done = sum(row.state is State.DONE for row in rows)
    print(f"{kills} kills, {len(rows)} jobs: {done} done, {len(rows) - done} ambiguous, {sum(made.values())} made")
    assert done > len(rows) / 2, "too few jobs came through for the test to mean anything"


def _addresses(base_url: str) -> dict[str, str]:
    return {
        "LEONARDO_BASE_URL": f"{base_url}/api/rest", "ONEMIN_BASE_URL": base_url, "REPLICATE_BASE_URL": base_url,
        "FAL_BASE_URL": base_url, "RUNWAYML_BASE_URL": base_url,
        "OPENROUTER_BASE_URL": f"{base_url}/api",
        "VIDNB_GPU_URL": base_url,
    }  # fmt: skip


async def _finish(home: Path) -> list:
    from vidnb.client.asynchronous import AsyncClient

    async with AsyncClient(home) as client:
        await client.resume(timeout_s=240)
        return client.jobs(limit=None)
